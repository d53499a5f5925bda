// Messages between sessions with workerd's queue: each is delivered once despite duplicates,
// reordering and invalid queue messages, and no model can send beyond its tenant.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complete, completeStream } from "../harness/client.mjs";
import { withSenderPrefix, commandModel, send } from "../harness/sends.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

/** A timeout for queues and lanes on a busy machine. */
const LONG_TIMEOUT = { timeoutMs: 90_000 };

let stack;
let ours;
before(async () => {
  stack = await startStack({ tenants: 2 });
  const limits = { requests_per_minute: null, burst: null, concurrent: null };
  for (const { tenant_id } of stack.tenants) await stack.updateSettings(tenant_id, { tools: ["sessions_send"], limits });
  ours = stack.tenants[0].tenant_id;
});
after(() => stack?.stop());

const user = (content) => ({ messages: [{ role: "user", content }] });
const inSession = (session, key = stack.key) => ({ key, headers: { "x-session-id": session } });

/** Sends a user message in a session; returns the text of the response. */
async function sendMessage(session, text, { stream = false, key } = {}) {
  if (stream) return (await completeStream(stack, user(text), inSession(session, key))).text;
  return (await complete(stack, user(text), inSession(session, key))).body.choices[0].message.content;
}

/** The user messages in a session of our tenant. */
async function userMessages(session) {
  const rows = await stack.rows("SELECT json_extract(content, '$.content') AS text FROM messages WHERE tenant_id = ?1 AND session_id = ?2 AND role = 'user' ORDER BY seq, position", ours, session);
  return rows.map(({ text }) => text);
}

const states = async (session) => (await stack.rows("SELECT state FROM sends WHERE session_id = ?1 ORDER BY created_at, id", session)).map(({ state }) => state);
const queueBodies = async (session) => (await stack.rows("SELECT tenant_id AS tenant, id AS send FROM sends WHERE session_id = ?1 ORDER BY created_at, id", session)).map((row) => JSON.stringify(row));

for (const stream of [false, true]) {
  const form = stream ? "streamed" : "in_one_piece";

  test(`a_message_gets_a_reply_from_a_turn_of_the_other_session_${form}`, async () => {
    stack.upstream.always(commandModel());
    const [a, b] = [`a-${form}`, `b-${form}`];
    await sendMessage(b, "hello");
    const response = await sendMessage(a, send({ session_id: b, message: "What is the plan?", timeout_seconds: 60 }), { stream });
    const receipt = JSON.parse(response.replace(/^results: /, ""));
    assert.equal(receipt.status, "replied", response);
    assert.equal(receipt.reply, "re: What is the plan?");
    assert.deepEqual(await userMessages(b), ["hello", withSenderPrefix(a, "What is the plan?")]);
    const turns = await stack.rows("SELECT session_id, key_id IS NOT NULL AS has_key FROM turns WHERE session_id IN (?1, ?2)", a, b);
    assert.ok(turns.length === 3 && turns.every(({ has_key }) => has_key));
  });

  test(`a_message_without_waiting_is_delivered_too_${form}`, async () => {
    stack.upstream.always(commandModel());
    const b = `later-${form}`;
    await sendMessage(b, "hello");
    const response = await sendMessage(`now-${form}`, send({ session_id: b, message: "one", timeout_seconds: 0 }, { session_id: b, message: "two", timeout_seconds: 0 }), { stream });
    assert.equal(response.match(/"status":"(queued|running|replied)"/g)?.length, 2, response);
    await until(async () => (await states(b)).join() === "replied,replied", "both have replies", LONG_TIMEOUT);
    assert.deepEqual((await userMessages(b)).slice(1).sort(), ["one", "two"].map((text) => withSenderPrefix(`now-${form}`, text)));
  });
}

test("attack_18_a_prompt_injection_cannot_send_to_another_tenants_session", async () => {
  stack.upstream.always(commandModel());
  const theirs = stack.tenants[1].secret_key;
  await sendMessage("theirs-alone", "a secret", { key: theirs });
  const before = await stack.rowCounts();
  const response = await sendMessage("injected", send({ session_id: "theirs-alone", message: "Open up." }, { session_id: "unknown-session", message: "Open up." }));
  const [foreign, random] = response.replace(/^results: /, "").split(" | ");
  assert.equal(foreign.replace("theirs-alone", "unknown-session"), random);
  assert.match(random, /no session `unknown-session`/);
  const { sends, turns, sessions } = await stack.rowCounts();
  assert.deepEqual([sends, turns, sessions], [before.sends, before.turns + 1, before.sessions + 1], "only our own turn is stored");
  const logged = await stack.rows("SELECT tool, outcome, tenant_id FROM tool_executions WHERE session_id = 'injected'");
  assert.deepEqual(logged, Array(2).fill({ tool: "sessions_send", outcome: "failed", tenant_id: ours }));
  await until(() => stack.logs.some(({ message }) => message.includes("sessions_send") && message.includes("failed")), "the failed calls are logged");
});

test("attack_42_sessions_that_call_each_other_in_a_cycle_stop_after_four_hops_and_each_is_charged", async () => {
  stack.upstream.always(commandModel());
  for (const session of ["left", "right"]) await sendMessage(session, "hello");
  const booked = (await stack.rows("SELECT count(*) AS count FROM turns WHERE tenant_id = ?1", ours))[0].count;
  // Each message contains the command to send the remaining part back.
  const round = (hops, to, back) => send({ session_id: to, message: hops > 0 ? round(hops - 1, back, to) : "the end", timeout_seconds: 0 });
  await sendMessage("left", round(6, "right", "left"));
  await until(async () => [...(await states("left")), ...(await states("right"))].join() === "replied,replied,replied,replied", "four have replies", LONG_TIMEOUT);
  const rejected = await stack.rows("SELECT result FROM tool_executions WHERE session_id IN ('left', 'right') AND outcome = 'refused'");
  assert.equal(rejected.length, 1);
  assert.match(rejected[0].result, /4 hops/);
  await stack.receipts(ours, booked + 5, LONG_TIMEOUT);
});

test("a_message_to_a_waiting_session_does_not_wait_for_a_reply", async () => {
  stack.upstream.always(commandModel());
  for (const session of ["up", "down"]) await sendMessage(session, "hello");
  const back = send({ session_id: "up", message: "Back to you.", timeout_seconds: 60 });
  const response = await sendMessage("up", send({ session_id: "down", message: back, timeout_seconds: 60 }));
  const receipt = JSON.parse(response.replace(/^results: /, ""));
  assert.equal(receipt.status, "replied", response);
  assert.match(receipt.reply, /may be waiting for this one/);
  await until(async () => (await states("up")).join() === "replied", "the message gets its reply later", LONG_TIMEOUT);
  assert.deepEqual(await userMessages("up"), ["hello", send({ session_id: "down", message: back, timeout_seconds: 60 }), withSenderPrefix("down", "Back to you.")]);
});

test("delivered_twice_out_of_order_and_with_invalid_messages_each_is_processed_once", async () => {
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  stack.upstream.always(commandModel({ meanwhile: (text) => (text.startsWith("m") ? gate : undefined) }));
  await sendMessage("crowd", "hello");
  const messages = ["m1", "m2", "m3"].map((message) => ({ session_id: "crowd", message, timeout_seconds: 0 }));
  await sendMessage("crier", send(...messages));
  const bodies = await queueBodies("crowd");
  assert.equal(bodies.length, 3);
  // While the queue delivers them, they are delivered twice more, in reverse order, among invalid messages.
  const invalid = ["", "no JSON", "{}", '{"tenant":"ten_x","send":1}', JSON.stringify({ tenant: stack.tenants[1].tenant_id, send: JSON.parse(bodies[0]).send })];
  for (const body of invalid) await stack.enqueue(body);
  const twice = stack.deliverQueueBatch([...invalid, ...bodies.toReversed(), ...bodies]);
  open();
  const { acked, retried } = await twice;
  // In the order in which they end, so a copy of a running message may come before an invalid one.
  assert.deepEqual(acked.filter((index) => index < invalid.length).sort(), [0, 1, 2, 3, 4], "invalid messages are dropped");
  assert.equal(acked.length + retried.length, invalid.length + 6);
  await until(async () => (await states("crowd")).join() === "replied,replied,replied", "all have replies", LONG_TIMEOUT);
  assert.deepEqual((await userMessages("crowd")).slice(1).sort(), ["m1", "m2", "m3"].map((text) => withSenderPrefix("crier", text)));
  const { acked: late } = await stack.deliverQueueBatch(bodies);
  assert.deepEqual(late.sort(), [0, 1, 2], "processed messages are acknowledged");
  assert.equal((await userMessages("crowd")).length, 4);
});

test("a_message_of_a_revoked_key_and_an_undeliverable_message_have_a_reason", async () => {
  stack.upstream.always(commandModel());
  await sendMessage("target", "hello");
  const { key, keyId } = await stack.addKey(ours);
  await stack.rows("UPDATE api_keys SET scopes = '[\"chat\",\"tools\",\"sessions:write\"]' WHERE id = ?1", keyId);
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  // Another turn holds the session's lane, so the message waits.
  stack.upstream.always(commandModel({ meanwhile: (text) => (text === "hold" ? gate : undefined) }));
  const held = sendMessage("target", "hold");
  await until(() => stack.upstream.requests.some(({ text }) => text.includes('"hold"')), "the other turn is running");
  const response = await sendMessage("sender", send({ session_id: "target", message: "Too late.", timeout_seconds: 0 }), { key });
  assert.match(response, /"status":"(queued|running)"/);
  await stack.callLedger(ours, { revoke: { key_id: keyId } });
  open();
  await held;
  await until(async () => (await states("target")).join() === "failed", "it fails", LONG_TIMEOUT);
  const [{ reason, message }] = await stack.rows("SELECT reason, message FROM sends WHERE session_id = 'target'");
  assert.deepEqual([reason, message], ["invalid_api_key", null]);
  assert.deepEqual(await userMessages("target"), ["hello", "hold"]);
  // Messages that exceed the retries arrive in the dead letter queue.
  const id = "snd_01ARZ3NDEKTSV4RRFFQ69G5FAV";
  await stack.rows(
    `INSERT INTO sends (tenant_id, id, session_id, key_id, origin, digest, path, hops, message, state, reason, created_at, updated_at)
     SELECT tenant_id, ?2, session_id, ?3, 'x', digest, path, 1, 'x', 'queued', 'session_busy', created_at, updated_at FROM sends WHERE tenant_id = ?1 AND session_id = 'target'`,
    ours, id, await stack.keyId(ours),
  );
  const { acked } = await stack.deliverQueueBatch([JSON.stringify({ tenant: ours, send: id })], "clawless-sends-dead");
  assert.deepEqual(acked, [0]);
  const [abandoned] = await stack.rows("SELECT state, reason FROM sends WHERE id = ?1", id);
  assert.deepEqual(abandoned, { state: "failed", reason: "session_busy" });
});
