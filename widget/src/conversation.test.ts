import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type Api, ApiError } from "./api.ts";
import { type ConversationView, createConversation, delayOf } from "./conversation.ts";
import { createStore, type Unsent } from "./store.ts";

let page: EventTarget;
let isOnline: boolean;
beforeEach(() => {
  page = new EventTarget();
  isOnline = true;
  Object.assign(globalThis, {
    window: { localStorage: {} },
    addEventListener: page.addEventListener.bind(page),
  });
  Object.defineProperty(navigator, "onLine", { get: () => isOnline, configurable: true });
});

/** A conversation whose view writes down what it shows. */
function converse(api: Partial<Api>) {
  const shown: string[] = [];
  const note = (text: string) => void shown.push(text);
  const view: ConversationView = {
    clear: () => note("clear"),
    history: (messages) => note(`history ${messages.map(({ text }) => text)}`),
    queued: ({ text }) => void (shown.includes(`queued ${text}`) || note(`queued ${text}`)),
    answer: () => ({
      write: (text) => note(text),
      restart: () => note("restart"),
      end: (problem) => note(`end ${problem ?? "complete"}`),
    }),
    receiving: () => {},
    notice: (notice) => notice && note(`notice ${notice}`),
    removeLastTurn: () => note("removeLastTurn"),
    report: () => note("failed"),
    left: (isErased) => note(`left ${isErased}`),
  };
  const store = createStore("test");
  const lifetime = new AbortController();
  const session = { token: "t", expires_in: 600, session_id: "ses_1", visitor_secret: "new" };
  const conversation = createConversation(
    { open: async () => session, forget() {}, loadMessages: async () => [], ...api } as Api,
    store,
    view,
    (_, work) => work(),
    lifetime.signal,
  );
  return { conversation, shown, store, lifetime };
}

const settle = (time = 20) => new Promise((resolve) => setTimeout(resolve, time));
type Chat = Api["chat"];

test("a message is sent and its answer shown", async () => {
  const chat: Chat = async ({ text }, _, onText) => onText(`answer to ${text}`);
  const { conversation, shown, store } = converse({ chat });
  conversation.send("hi");
  await settle();
  assert.deepEqual(shown, ["queued hi", "restart", "answer to hi", "end complete"]);
  assert.deepEqual(store.unsent(), []);
});

test("a conversation whose widget has ended sends nothing, and keeps the message", async () => {
  const chat: Chat = async () => assert.fail("sent");
  const { conversation, shown, store, lifetime } = converse({ chat });
  lifetime.abort();
  conversation.send("hi");
  await settle();
  assert.deepEqual(shown, ["queued hi"]);
  assert.equal(store.unsent().length, 1);
});

test("messages are sent one after another", async () => {
  let running = 0;
  const texts: string[] = [];
  const chat: Chat = async ({ text }) => {
    assert.equal(++running, 1);
    await settle(5);
    texts.push(text);
    running--;
  };
  const { conversation } = converse({ chat });
  for (const text of ["a", "b", "c"]) {
    conversation.send(text);
    await settle(2);
  }
  await settle(40);
  assert.deepEqual(texts, ["a", "b", "c"]);
});

test("a repeat has the same id, and replaces what has arrived", async () => {
  const ids: string[] = [];
  const chat: Chat = async ({ id }: Unsent, _, onText) => {
    ids.push(id);
    onText("par");
    if (ids.length === 1) throw new TypeError("connection lost");
    onText("tial");
  };
  const { conversation, shown } = converse({ chat });
  conversation.send("hi");
  await settle(1200);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  assert.deepEqual(shown, ["queued hi", "restart", "par", "notice network", "restart", "par", "tial", "end complete"]);
});

test("stop keeps the partial answer and forgets the message", async () => {
  const chat: Chat = (_, abort, onText) => {
    onText("part");
    return new Promise((__, reject) => abort.signal.addEventListener("abort", () => reject(abort.signal.reason)));
  };
  const { conversation, shown, store } = converse({ chat });
  conversation.send("hi");
  await settle();
  conversation.stop();
  await settle();
  assert.deepEqual(shown.slice(-2), ["part", "end stopped"]);
  assert.deepEqual(store.unsent(), []);
});

test("a broken answer is not repeated", async () => {
  let count = 0;
  const chat: Chat = async () => {
    count++;
    throw new ApiError(0, { code: "upstream_error" });
  };
  const { conversation, shown, store } = converse({ chat });
  conversation.send("hi");
  await settle();
  assert.equal(count, 1);
  assert.deepEqual(shown.slice(-2), ["failed", "end interrupted"]);
  assert.deepEqual(store.unsent(), []);
});

test("a refusal says why", async () => {
  for (const [status, problem] of [
    [401, "denied"],
    [403, "denied"],
    [400, "failed"],
    [500, "failed"],
  ] as const) {
    const { conversation, shown } = converse({ chat: () => Promise.reject(new ApiError(status)) });
    conversation.send("hi");
    await settle();
    assert.equal(shown.at(-1), `end ${problem}`);
  }
});

test("a busy server is asked again when it says so", async () => {
  let count = 0;
  const chat: Chat = async () => {
    if (++count === 1) throw new ApiError(429, {}, 0.05);
  };
  const { conversation, shown } = converse({ chat });
  conversation.send("hi");
  await settle(700);
  assert.equal(count, 2);
  assert.ok(shown.includes("notice busy"));
  assert.equal(shown.at(-1), "end complete");
});

test("offline messages wait, and are sent when the browser is online", async () => {
  isOnline = false;
  const sent: string[] = [];
  const chat: Chat = async ({ text }) => void sent.push(text);
  const { conversation, shown, store } = converse({ chat });
  conversation.send("one");
  conversation.send("two");
  await settle();
  assert.deepEqual(sent, []);
  assert.equal(store.unsent().length, 2);
  assert.ok(shown.includes("notice offline"));
  isOnline = true;
  page.dispatchEvent(new Event("online"));
  await settle();
  assert.deepEqual(sent, ["one", "two"]);
});

test("a page that is left keeps the message and sends it when it is shown again", async () => {
  let count = 0;
  const chat: Chat = (_, abort, onText) => {
    count++;
    onText("x");
    if (count > 1) return Promise.resolve();
    return new Promise((__, reject) => abort.signal.addEventListener("abort", () => reject(abort.signal.reason)));
  };
  const { conversation, store, shown } = converse({ chat });
  conversation.send("hi");
  await settle();
  page.dispatchEvent(new Event("pagehide"));
  await settle();
  assert.equal(store.unsent().length, 1);
  page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await settle();
  assert.equal(count, 2);
  assert.equal(shown.at(-1), "end complete");
});

test("an answer of another tab is loaded", async () => {
  const { conversation, shown } = converse({});
  await conversation.start();
  page.dispatchEvent(Object.assign(new Event("storage"), { key: "test:unsent:1", newValue: null }));
  await settle();
  assert.deepEqual(shown, ["clear", "history "]);
});

test("delays grow, are random, and end", () => {
  assert.equal(delayOf(new TypeError(), 1, 0), 500);
  assert.equal(delayOf(new TypeError(), 1, 1), 1000);
  assert.equal(delayOf(new TypeError(), 4, 0), 4000);
  assert.equal(delayOf(new TypeError(), 6), undefined);
  assert.equal(delayOf(new ApiError(429, {}, 7), 20, 0), 7000);
  assert.equal(delayOf(new ApiError(500), 1), undefined);
});
