// The stack is killed while messages between sessions are in every state. After the restart none
// is lost and none is processed twice.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { failure, json } from "../harness/behaviours.mjs";
import { complete, postChat, chatBody } from "../harness/client.mjs";
import { withSenderPrefix, commandModel, send } from "../harness/sends.mjs";
import { startStackProcess } from "../harness/serve.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";
import { until } from "../harness/wait.mjs";

/** After the deadlines of reservations and of unfinished messages. */
const MUCH_LATER = 16 * 60_000;
const LONG_TIMEOUT = { timeoutMs: 120_000 };

let persist;
let upstream;
before(async () => {
  persist = mkdtempSync(path.join(tmpdir(), "clawless-sends-"));
  upstream = await startUpstream();
});
after(async () => {
  await upstream.close();
  rmSync(persist, { recursive: true, force: true });
});

const user = (content) => ({ messages: [{ role: "user", content }] });

/** Sends a user message in a session; returns the text of the response. */
async function sendMessage(stack, key, session, text) {
  const { body } = await complete(stack, user(text), { key, headers: { "x-session-id": session } });
  return body.choices[0].message.content;
}

/** The same for a stack that is killed before it responds. */
function sendBeforeKill(stack, key, session, text) {
  const response = postChat(stack, chatBody(user(text)), { key, url: stack.url, headers: { "x-session-id": session } });
  return response.then((received) => received.text()).then((answer) => ({ answer }), () => ({ aborted: true }));
}

test("after_a_kill_messages_in_every_state_are_processed_once_and_none_is_lost", async () => {
  let isKilled = false;
  const hung = new Set();
  const never = new Promise(() => {});
  // Before the kill, one session's model hangs, one returns an error, and one fails after a tool call.
  const meanwhile = (text) => {
    if (isKilled) return undefined;
    if (text === "refuse this") return json(400, { error: { message: "No.", type: "invalid_request_error", param: null, code: null } });
    if (text.startsWith("results: A session cannot send to itself")) return failure(500);
    if (!text.startsWith("hang")) return undefined;
    hung.add(text);
    return never;
  };
  upstream.always(commandModel({ meanwhile }));

  const first = await startStackProcess({ persist, upstream, tenants: 1, settings: { tools: ["sessions_send"] } });
  const [{ tenant_id: tenant, secret_key: key }] = first.tenants;
  for (const session of ["done", "running", "waiting", "refusing", "breaking"]) await sendMessage(first, key, session, "hello");

  // Replied: stored, and perhaps not yet acknowledged.
  const replied = await sendMessage(first, key, "a", send({ session_id: "done", message: "first", timeout_seconds: 60 }));
  assert.match(replied, /"status":"replied"/);
  // Failed, and delivered to a session whose response broke.
  const rejected = await sendMessage(first, key, "d", send({ session_id: "refusing", message: "refuse this", timeout_seconds: 60 }));
  assert.match(rejected, /"status":"failed"/);
  const breaks = send({ session_id: "breaking", message: "to itself" });
  const delivered = await sendMessage(first, key, "e", send({ session_id: "breaking", message: breaks, timeout_seconds: 60 }));
  assert.match(delivered, /"status":"delivered"/);
  // Running, with a waiting sender.
  const waiter = sendBeforeKill(first, key, "b", send({ session_id: "running", message: "hang in there", timeout_seconds: 60 }));
  await until(() => hung.has("hang in there"), "the second message's turn runs", LONG_TIMEOUT);
  // Queued behind the running batch.
  const queued = await sendMessage(first, key, "c", send({ session_id: "waiting", message: "third", timeout_seconds: 0 }, { session_id: "done", message: "fourth", timeout_seconds: 0 }));
  assert.equal(queued.match(/"status":"queued"/g)?.length, 2, queued);
  await first.kill();
  isKilled = true;
  assert.ok((await waiter).aborted, "the sender's connection is closed");

  const second = await startStack({ persist, fresh: false, tenants: 0, upstream, clockAheadMs: MUCH_LATER });
  try {
    const states = () => second.rows("SELECT session_id, state, tries FROM sends ORDER BY created_at, id");
    const before = await states();
    assert.deepEqual(before.map(({ state }) => state).sort(), ["delivered", "failed", "queued", "queued", "replied", "running"]);
    // The ledger wakes and sweeps the calls past their deadlines.
    await fetch(`${second.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then((response) => response.arrayBuffer());
    await second.deliverAlarm(tenant);
    // The queue is empty; the cron job enqueues the messages twice.
    assert.equal(await second.cron(), "ok");
    assert.equal(await second.cron(), "ok");
    const ended = async () => (await states()).map(({ state }) => state).sort().join();
    await until(async () => (await ended()) === "delivered,failed,replied,replied,replied,replied", "every message has ended", LONG_TIMEOUT);
    const userMessages = async (session) => {
      const rows = await second.rows("SELECT json_extract(content, '$.content') AS text FROM messages WHERE session_id = ?1 AND role = 'user' ORDER BY seq, position", session);
      return rows.map(({ text }) => text);
    };
    assert.deepEqual(await userMessages("done"), ["hello", withSenderPrefix("a", "first"), withSenderPrefix("c", "fourth")]);
    assert.deepEqual(await userMessages("running"), ["hello", withSenderPrefix("b", "hang in there")]);
    assert.deepEqual(await userMessages("waiting"), ["hello", withSenderPrefix("c", "third")]);
    assert.deepEqual(await userMessages("refusing"), ["hello"]);
    assert.deepEqual(await userMessages("breaking"), ["hello", withSenderPrefix("e", breaks)]);
    assert.deepEqual(await userMessages("b"), [], "the interrupted turn is not stored");
    const [{ tries }] = (await states()).filter(({ session_id }) => session_id === "running");
    assert.equal(tries, 2);
    // A later cron job finds nothing to do.
    assert.equal(await second.cron(), "ok");
    assert.equal((await userMessages("running")).length, 2);
  } finally {
    await second.stop();
  }
});
