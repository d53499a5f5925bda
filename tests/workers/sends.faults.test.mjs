// Everything is killed while messages between sessions stand at every state. Afterwards none is lost and
// none is said twice.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { failure, json } from "../harness/behaviours.mjs";
import { complete, postChat, chatBody } from "../harness/client.mjs";
import { introduced, obedient, send } from "../harness/sends.mjs";
import { startStackProcess } from "../harness/serve.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";
import { until } from "../harness/wait.mjs";

/** When reservations have ended for certain, and messages have stood still for long enough. */
const MUCH_LATER = 16 * 60_000;
const PATIENT = { timeoutMs: 120_000 };

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

/** Says something in a session; gives the answer's text. */
async function say(stack, key, session, text) {
  const { body } = await complete(stack, user(text), { key, headers: { "x-session-id": session } });
  return body.choices[0].message.content;
}

/** As above, where nobody will be there to answer. */
function sayToTheDead(stack, key, session, text) {
  const spoken = postChat(stack, chatBody(user(text)), { key, url: stack.url, headers: { "x-session-id": session } });
  return spoken.then((response) => response.text()).then((answer) => ({ answer }), () => ({ died: true }));
}

test("after_a_kill_messages_at_every_state_are_said_once_and_none_is_lost", async () => {
  let isDead = false;
  const hung = new Set();
  const never = new Promise(() => {});
  // In the first life, one session's model hangs, one's refuses, and one's breaks after it called a tool.
  const meanwhile = (text) => {
    if (isDead) return undefined;
    if (text === "refuse this") return json(400, { error: { message: "No.", type: "invalid_request_error", param: null, code: null } });
    if (text.startsWith("told: A session cannot send to itself")) return failure(500);
    if (!text.startsWith("hang")) return undefined;
    hung.add(text);
    return never;
  };
  upstream.always(obedient({ meanwhile }));

  const first = await startStackProcess({ persist, upstream, tenants: 1, settings: { tools: ["sessions_send"] } });
  const [{ tenant_id: tenant, secret_key: key }] = first.tenants;
  for (const session of ["done", "running", "waiting", "refusing", "breaking"]) await say(first, key, session, "hello");

  // Replied: stored, and perhaps not yet acknowledged.
  const replied = await say(first, key, "a", send({ session_id: "done", message: "first", timeout_seconds: 60 }));
  assert.match(replied, /"status":"replied"/);
  // Failed, and delivered to a session whose answer broke.
  const refused = await say(first, key, "d", send({ session_id: "refusing", message: "refuse this", timeout_seconds: 60 }));
  assert.match(refused, /"status":"failed"/);
  const breaks = send({ session_id: "breaking", message: "to itself" });
  const delivered = await say(first, key, "e", send({ session_id: "breaking", message: breaks, timeout_seconds: 60 }));
  assert.match(delivered, /"status":"delivered"/);
  // Running, its sender waiting.
  const waiter = sayToTheDead(first, key, "b", send({ session_id: "running", message: "hang in there", timeout_seconds: 60 }));
  await until(() => hung.has("hang in there"), "the second message's turn runs", PATIENT);
  // Queued, behind the batch that runs.
  const queued = await say(first, key, "c", send({ session_id: "waiting", message: "third", timeout_seconds: 0 }, { session_id: "done", message: "fourth", timeout_seconds: 0 }));
  assert.equal(queued.match(/"status":"queued"/g)?.length, 2, queued);
  await first.kill();
  isDead = true;
  assert.ok((await waiter).died, "its sender died with it");

  const second = await startStack({ persist, fresh: false, tenants: 0, upstream, clockAheadMs: MUCH_LATER });
  try {
    const states = () => second.rows("SELECT session_id, state, tries FROM sends ORDER BY created_at, id");
    const before = await states();
    assert.deepEqual(before.map(({ state }) => state).sort(), ["delivered", "failed", "queued", "queued", "replied", "running"]);
    // The ledger wakes, and looks what became of the calls past their deadlines.
    await fetch(`${second.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then((response) => response.arrayBuffer());
    await second.deliverAlarm(tenant);
    // The queue has forgotten everything, and hears of it twice.
    assert.equal(await second.cron(), "ok");
    assert.equal(await second.cron(), "ok");
    const ended = async () => (await states()).map(({ state }) => state).sort().join();
    await until(async () => (await ended()) === "delivered,failed,replied,replied,replied,replied", "every message has ended", PATIENT);
    const heard = async (session) => {
      const rows = await second.rows("SELECT json_extract(content, '$.content') AS text FROM messages WHERE session_id = ?1 AND role = 'user' ORDER BY seq, position", session);
      return rows.map(({ text }) => text);
    };
    assert.deepEqual(await heard("done"), ["hello", introduced("a", "first"), introduced("c", "fourth")]);
    assert.deepEqual(await heard("running"), ["hello", introduced("b", "hang in there")]);
    assert.deepEqual(await heard("waiting"), ["hello", introduced("c", "third")]);
    assert.deepEqual(await heard("refusing"), ["hello"]);
    assert.deepEqual(await heard("breaking"), ["hello", introduced("e", breaks)]);
    assert.deepEqual(await heard("b"), [], "the turn that died is not there");
    const [{ tries }] = (await states()).filter(({ session_id }) => session_id === "running");
    assert.equal(tries, 2);
    // Later still, nothing is left to be done.
    assert.equal(await second.cron(), "ok");
    assert.equal((await heard("running")).length, 2);
  } finally {
    await second.stop();
  }
});
