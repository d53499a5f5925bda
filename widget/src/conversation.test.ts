import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type Api, ApiError } from "./api.ts";
import { type ConversationView, createConversation, delayOf } from "./conversation.ts";
import { createStore, newId, type Unsent } from "./store.ts";

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
    queued: ({ text }, isHeld) => {
      const what = `${isHeld ? "held" : "queued"} ${text}`;
      if (!shown.includes(what)) note(what);
    },
    answer: () => ({
      write: (text) => note(text),
      restart: () => note("restart"),
      end: (problem, _, wait) => note(`end ${problem ?? "complete"}${wait ? ` ${wait}` : ""}`),
    }),
    receiving: () => {},
    notice: (notice) => notice && note(`notice ${notice}`),
    report: () => note("failed"),
    left: (isErased) => note(`left ${!!isErased}`),
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

test("stop keeps the partial answer, and another attempt is the same request", async () => {
  const ids: string[] = [];
  const chat: Chat = ({ id }, abort, onText) => {
    ids.push(id);
    onText("part");
    if (ids.length > 1) return Promise.resolve();
    return new Promise((__, reject) => abort.signal.addEventListener("abort", () => reject(abort.signal.reason)));
  };
  const { conversation, shown, store } = converse({ chat });
  conversation.send("hi");
  await settle();
  conversation.stop();
  await settle();
  assert.deepEqual(shown.slice(-2), ["part", "end stopped"]);
  const [item] = store.unsent();
  await conversation.start();
  assert.equal(ids.length, 1, "not without being asked");
  conversation.retry(item as Unsent);
  await settle();
  assert.deepEqual(ids, [item?.id, item?.id]);
  assert.equal(shown.at(-1), "end complete");
  assert.deepEqual(store.unsent(), []);
});

test("a broken answer is not repeated, and its message stays", async () => {
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
  assert.equal(store.unsent()[0]?.problem, "interrupted");
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
    if (++count === 1) throw new ApiError(429, {}, 0.6);
  };
  const { conversation, shown } = converse({ chat });
  conversation.send("hi");
  await settle(550);
  assert.equal(count, 1);
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
  assert.equal(delayOf(new TypeError(), 8), undefined);
  assert.equal(delayOf(new ApiError(429, {}, 7), 2, 0), 7000);
  // A server that names a second each time is not asked each second.
  assert.equal(delayOf(new ApiError(503, {}, 1), 5, 0), 8000);
  assert.equal(delayOf(new ApiError(503, {}, 1), 8), undefined);
  assert.equal(delayOf(new ApiError(429, {}, 61), 1), undefined);
  assert.equal(delayOf(new ApiError(500), 1), undefined);
});

test("a server that is busy for long is not asked again: the answer says when", async () => {
  const { conversation, shown, store } = converse({ chat: () => Promise.reject(new ApiError(429, {}, 7200)) });
  conversation.send("hi");
  await settle();
  assert.equal(shown.at(-1), "end failed 7200");
  assert.equal(store.unsent().length, 1);
});

/** A session that has these turns. */
const stored = (...turns: string[]): Partial<Api> => ({
  open: async () => ({ token: "t", expires_in: 600, session_id: "ses_1" }),
  loadMessages: async () =>
    turns.flatMap((request_id) => [
      { id: `${request_id}-a`, role: "assistant", request_id, message: { content: `answer of ${request_id}` } },
      { id: `${request_id}-q`, role: "user", request_id, message: { content: `question of ${request_id}` } },
    ]),
});

test("a message whose turn is stored is not sent again", async () => {
  const chat: Chat = async () => assert.fail("sent");
  const { conversation, shown, store } = converse({ ...stored("req_1"), chat });
  store.add({ id: newId(), text: "hi", turn: "req_1" });
  await conversation.start();
  await settle();
  assert.deepEqual(shown.slice(1), ["clear", "history question of req_1,answer of req_1"]);
  assert.deepEqual(store.unsent(), []);
});

test("the repeat of a turn that is on the screen is not shown again", async () => {
  const chat: Chat = async (_, __, onText, onTurn) => {
    onTurn("req_1");
    onText("again");
  };
  const { conversation, shown, store } = converse({ ...stored("req_1"), chat });
  conversation.send("hi");
  await settle();
  assert.ok(!shown.includes("again"));
  assert.equal(shown.at(-1), "history question of req_1,answer of req_1");
  assert.deepEqual(store.unsent(), []);
});

test("an old message waits for the visitor", async () => {
  const sent: string[] = [];
  const { conversation, shown, store } = converse({ chat: async ({ id }) => void sent.push(id) });
  const id = `${(Date.now() - 2 * 36e5).toString(36)}-1`;
  store.add({ id, text: "hi" });
  await conversation.start();
  page.dispatchEvent(new Event("online"));
  await settle();
  assert.deepEqual(sent, []);
  assert.equal(shown[0], "held hi");
  conversation.retry({ id, text: "hi" });
  await settle();
  assert.deepEqual(sent, [id]);
});

test("a refused message stays, and is not sent again without asking", async () => {
  let count = 0;
  const chat: Chat = async () => {
    count++;
    throw new ApiError(500);
  };
  const { conversation, store } = converse({ chat });
  conversation.send("hi");
  await settle();
  const [item] = store.unsent();
  assert.deepEqual([item?.text, item?.problem], ["hi", "failed"]);
  await conversation.start();
  await settle();
  assert.equal(count, 1);
});

test("what another tab has received does not replace an answer that begins meanwhile", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<never[]>();
  const chat: Chat = async (_, __, onText) => onText("answer");
  const { conversation, shown } = converse({ chat, loadMessages: () => held });
  await conversation.start();
  page.dispatchEvent(Object.assign(new Event("storage"), { key: "test:unsent:1", newValue: null }));
  page.dispatchEvent(Object.assign(new Event("storage"), { key: "test:unsent:2", newValue: null }));
  conversation.send("hi");
  await settle();
  assert.ok(!shown.includes("answer"));
  release([]);
  await settle();
  assert.deepEqual(shown.slice(-2), ["answer", "end complete"]);
  assert.ok(shown.lastIndexOf("clear") < shown.indexOf("answer"));
});

test("a conversation that another tab leaves is left here, without a request", async () => {
  const { conversation, shown } = converse({ loadMessages: async () => assert.fail("requested") });
  await conversation.start();
  page.dispatchEvent(Object.assign(new Event("storage"), { key: "test", newValue: null }));
  page.dispatchEvent(Object.assign(new Event("storage"), { key: "test:unsent:1", newValue: null }));
  await settle();
  assert.deepEqual(shown, ["clear", "left false"]);
});

test("a deletion ends the answer that is being received, and its message", async () => {
  const removed: string[] = [];
  const chat: Chat = (_, abort, onText) => {
    onText("part");
    return new Promise((__, reject) => abort.signal.addEventListener("abort", () => reject(abort.signal.reason)));
  };
  const remove: Api["remove"] = async (part) => void removed.push(part) as never;
  const { conversation, shown, store } = converse({ chat, remove });
  conversation.send("hi");
  conversation.send("and this");
  await settle();
  await conversation.erase();
  await settle();
  assert.deepEqual(removed, [""]);
  assert.deepEqual(shown.slice(-3), ["part", "clear", "left true"]);
  assert.deepEqual(store.unsent(), []);
});

test("a turn is deleted to its end, however often the server is busy", async () => {
  const kept = new Set(["req_1-a", "req_1-q", "req_0-a"]);
  let count = 0;
  const api = stored("req_1", "req_0");
  const { conversation } = converse({
    ...api,
    loadMessages: async (signal) => ((await api.loadMessages?.(signal)) ?? []).filter(({ id }) => kept.has(id)),
    remove: async (part) => {
      if (++count === 2) throw new ApiError(429, {}, 0.1);
      return kept.delete(part.replace("/messages/", "")) as never;
    },
  });
  await conversation.discard("req_1");
  assert.deepEqual([...kept], ["req_0-a"]);
});
