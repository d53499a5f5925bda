import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { createStore, newId, timeOf } from "./store.ts";

let entries: Record<string, string>;
beforeEach(() => {
  entries = {};
  Object.assign(globalThis, { window: { localStorage: entries } });
});

test("unsent messages are kept in the order of their ids, beside other entries", () => {
  entries.other = "x";
  const store = createStore("clawless:k");
  store.add({ id: "2", text: "second" });
  store.add({ id: "1", text: "first" });
  assert.deepEqual(store.unsent(), [
    { id: "1", text: "first" },
    { id: "2", text: "second" },
  ]);
  store.remove("1");
  assert.deepEqual(createStore("clawless:k").unsent(), [{ id: "2", text: "second" }]);
});

test("two stores of one key do not overwrite each other's messages", () => {
  const [one, other] = [createStore("clawless:k"), createStore("clawless:k")];
  one.add({ id: "1", text: "a" });
  other.add({ id: "2", text: "b" });
  assert.equal(one.unsent().length, 2);
});

test("users of one key have separate stores", () => {
  createStore("clawless:k").keep({ id: "ses_1", secret: "s" });
  createStore("clawless:k").add({ id: "1", text: "a" });
  const user = createStore("clawless:k:user");
  assert.deepEqual(user.kept(), {});
  assert.deepEqual(user.unsent(), []);
});

test("clearing removes the entries of the store only", () => {
  entries.other = "x";
  const store = createStore("clawless:k");
  store.keep({ id: "ses_1", secret: "s" });
  store.add({ id: "1", text: "a" });
  assert.deepEqual(store.kept(), { id: "ses_1", secret: "s" });
  store.clear();
  assert.deepEqual(entries, { other: "x" });
});

test("without storage a store lasts as long as the page", () => {
  Object.assign(globalThis, {
    window: {
      get localStorage() {
        throw new Error("blocked");
      },
    },
  });
  const store = createStore("clawless:k");
  store.add({ id: "1", text: "a" });
  assert.equal(store.unsent().length, 1);
});

test("a full storage loses no message", () => {
  Object.assign(globalThis, {
    window: {
      localStorage: new Proxy<Record<string, string>>(
        { "clawless:k:unsent:0": '{"text":"old"}' },
        { set: () => assert.fail("full") },
      ),
    },
  });
  const store = createStore("clawless:k");
  store.add({ id: "1", text: "new" });
  assert.deepEqual(
    store.unsent().map(({ text }) => text),
    ["old", "new"],
  );
});

test("what a full storage has is removed like the rest", () => {
  const full: Record<string, string> = { "clawless:k": '{"id":"ses_1"}', "clawless:k:unsent:0": '{"text":"old"}' };
  const localStorage = new Proxy(full, { set: () => assert.fail("full") });
  Object.assign(globalThis, { window: { localStorage } });
  const store = createStore("clawless:k");
  store.add({ id: "1", text: "new" });
  store.remove("0");
  store.remove("1");
  assert.deepEqual(store.unsent(), []);
  store.keep({ id: "ses_2", secret: "s" });
  assert.deepEqual(store.kept(), { id: "ses_2", secret: "s" });
  store.clear();
  assert.deepEqual(store.kept(), {});
  assert.deepEqual(full, {});
});

test("what something else has written is empty, and no storage at all is memory", () => {
  Object.assign(entries, { "clawless:k": "{", "clawless:k:unsent:1": "[1", "clawless:k:unsent:2": "null" });
  const store = createStore("clawless:k");
  assert.deepEqual(store.kept(), {});
  assert.deepEqual(store.unsent(), []);
  Object.assign(globalThis, { window: { localStorage: null } });
  const other = createStore("clawless:k");
  other.add({ id: "1", text: "a" });
  assert.equal(other.unsent().length, 1);
});

test("ids are unique and sort by time", () => {
  const ids = Array.from({ length: 100 }, newId);
  assert.equal(new Set(ids).size, 100);
  assert.deepEqual(ids.toSorted(), ids);
  assert.ok(Math.abs(timeOf(ids[0] as string) - Date.now()) < 1000);
});
