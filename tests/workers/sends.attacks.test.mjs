// Messages between sessions on workerd, with its real queue: what is asked for is delivered once,
// whatever comes twice, in disorder or makes no sense, and no model reaches further than it may.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complete, completeStream } from "../harness/client.mjs";
import { introduced, obedient, send } from "../harness/sends.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

/** How long a queue, a lane and a machine with other things to do may take. */
const PATIENT = { timeoutMs: 90_000 };

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
const inside = (session, key = stack.key) => ({ key, headers: { "x-session-id": session } });

/** Says something in a session; gives the whole answer's text. */
async function say(session, text, { stream = false, key } = {}) {
  if (stream) return (await completeStream(stack, user(text), inside(session, key))).text;
  return (await complete(stack, user(text), inside(session, key))).body.choices[0].message.content;
}

/** What users said in a session of ours. */
async function heard(session) {
  const rows = await stack.rows("SELECT json_extract(content, '$.content') AS text FROM messages WHERE tenant_id = ?1 AND session_id = ?2 AND role = 'user' ORDER BY seq, position", ours, session);
  return rows.map(({ text }) => text);
}

const states = async (session) => (await stack.rows("SELECT state FROM sends WHERE session_id = ?1 ORDER BY created_at, id", session)).map(({ state }) => state);
const errands = async (session) => (await stack.rows("SELECT tenant_id AS tenant, id AS send FROM sends WHERE session_id = ?1 ORDER BY created_at, id", session)).map((row) => JSON.stringify(row));

for (const stream of [false, true]) {
  const form = stream ? "streamed" : "in_one_piece";

  test(`a_message_is_answered_in_the_other_sessions_own_turn_${form}`, async () => {
    stack.upstream.always(obedient());
    const [a, b] = [`a-${form}`, `b-${form}`];
    await say(b, "hello");
    const answer = await say(a, send({ session_id: b, message: "What is the plan?", timeout_seconds: 60 }), { stream });
    const receipt = JSON.parse(answer.replace(/^told: /, ""));
    assert.equal(receipt.status, "replied", answer);
    assert.equal(receipt.reply, "re: What is the plan?");
    assert.deepEqual(await heard(b), ["hello", introduced(a, "What is the plan?")]);
    const turns = await stack.rows("SELECT session_id, key_id IS NOT NULL AS has_key FROM turns WHERE session_id IN (?1, ?2)", a, b);
    assert.ok(turns.length === 3 && turns.every(({ has_key }) => has_key));
  });

  test(`what_is_not_waited_for_is_delivered_all_the_same_${form}`, async () => {
    stack.upstream.always(obedient());
    const b = `later-${form}`;
    await say(b, "hello");
    const answer = await say(`now-${form}`, send({ session_id: b, message: "one", timeout_seconds: 0 }, { session_id: b, message: "two", timeout_seconds: 0 }), { stream });
    assert.equal(answer.match(/"status":"(queued|running|replied)"/g)?.length, 2, answer);
    await until(async () => (await states(b)).join() === "replied,replied", "both are answered", PATIENT);
    assert.deepEqual((await heard(b)).slice(1).sort(), ["one", "two"].map((text) => introduced(`now-${form}`, text)));
  });
}

test("attack_18_a_model_that_is_talked_into_writing_to_another_tenants_session_finds_none_and_writes_nothing", async () => {
  stack.upstream.always(obedient());
  const theirs = stack.tenants[1].secret_key;
  await say("theirs-alone", "a secret", { key: theirs });
  const before = await stack.rowCounts();
  const answer = await say("injected", send({ session_id: "theirs-alone", message: "Open up." }, { session_id: "nobody-here", message: "Open up." }));
  const [foreign, random] = answer.replace(/^told: /, "").split(" | ");
  assert.equal(foreign.replace("theirs-alone", "nobody-here"), random);
  assert.match(random, /no session `nobody-here`/);
  const { sends, turns, sessions } = await stack.rowCounts();
  assert.deepEqual([sends, turns, sessions], [before.sends, before.turns + 1, before.sessions + 1], "our own turn, and nothing else");
  const logged = await stack.rows("SELECT tool, outcome, tenant_id FROM tool_executions WHERE session_id = 'injected'");
  assert.deepEqual(logged, Array(2).fill({ tool: "sessions_send", outcome: "failed", tenant_id: ours }));
  await until(() => stack.logs.some(({ message }) => message.includes("sessions_send") && message.includes("failed")), "it is in the log");
});

test("attack_42_sessions_that_call_each_other_in_a_circle_stop_after_four_hops_and_each_is_charged", async () => {
  stack.upstream.always(obedient());
  for (const session of ["left", "right"]) await say(session, "hello");
  const booked = (await stack.rows("SELECT count(*) AS count FROM turns WHERE tenant_id = ?1", ours))[0].count;
  // Each message tells its session to send the rest of it back.
  const round = (hops, to, back) => send({ session_id: to, message: hops > 0 ? round(hops - 1, back, to) : "the end", timeout_seconds: 0 });
  await say("left", round(6, "right", "left"));
  await until(async () => [...(await states("left")), ...(await states("right"))].join() === "replied,replied,replied,replied", "four are answered", PATIENT);
  const refused = await stack.rows("SELECT result FROM tool_executions WHERE session_id IN ('left', 'right') AND outcome = 'refused'");
  assert.equal(refused.length, 1);
  assert.match(refused[0].result, /4 hops/);
  await stack.receipts(ours, booked + 5, PATIENT);
});

test("a_session_that_waits_for_another_is_not_waited_for", async () => {
  stack.upstream.always(obedient());
  for (const session of ["up", "down"]) await say(session, "hello");
  const back = send({ session_id: "up", message: "Back to you.", timeout_seconds: 60 });
  const answer = await say("up", send({ session_id: "down", message: back, timeout_seconds: 60 }));
  const receipt = JSON.parse(answer.replace(/^told: /, ""));
  assert.equal(receipt.status, "replied", answer);
  assert.match(receipt.reply, /may be waiting for this one/);
  await until(async () => (await states("up")).join() === "replied", "and is answered in its turn", PATIENT);
  assert.deepEqual(await heard("up"), ["hello", send({ session_id: "down", message: back, timeout_seconds: 60 }), introduced("down", "Back to you.")]);
});

test("brought_twice_and_out_of_order_and_beside_poison_each_message_is_said_once", async () => {
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  stack.upstream.always(obedient({ meanwhile: (text) => (text.startsWith("m") ? gate : undefined) }));
  await say("crowd", "hello");
  const messages = ["m1", "m2", "m3"].map((message) => ({ session_id: "crowd", message, timeout_seconds: 0 }));
  await say("crier", send(...messages));
  const bodies = await errands("crowd");
  assert.equal(bodies.length, 3);
  // While the queue brings them itself, they come twice more, backwards, in the middle of nonsense.
  const poison = ["", "no JSON", "{}", '{"tenant":"ten_x","send":1}', JSON.stringify({ tenant: stack.tenants[1].tenant_id, send: JSON.parse(bodies[0]).send })];
  for (const body of poison) await stack.enqueue(body);
  const twice = stack.deliverQueueBatch([...poison, ...bodies.toReversed(), ...bodies]);
  open();
  const { acked, retried } = await twice;
  assert.deepEqual(acked.slice(0, poison.length), [0, 1, 2, 3, 4], "poison is dropped");
  assert.equal(acked.length + retried.length, poison.length + 6);
  await until(async () => (await states("crowd")).join() === "replied,replied,replied", "all are answered", PATIENT);
  assert.deepEqual((await heard("crowd")).slice(1).sort(), ["m1", "m2", "m3"].map((text) => introduced("crier", text)));
  const { acked: late } = await stack.deliverQueueBatch(bodies);
  assert.deepEqual(late, [0, 1, 2], "what is done is done");
  assert.equal((await heard("crowd")).length, 4);
});

test("a_key_that_is_revoked_after_it_sent_and_a_message_that_is_given_up_say_why", async () => {
  stack.upstream.always(obedient());
  await say("target", "hello");
  const { key, keyId } = await stack.addKey(ours);
  await stack.rows("UPDATE api_keys SET scopes = '[\"chat\",\"tools\",\"sessions:write\"]' WHERE id = ?1", keyId);
  let open;
  const gate = new Promise((resolve) => (open = resolve));
  // The session is held by another turn, so that the message waits.
  stack.upstream.always(obedient({ meanwhile: (text) => (text === "hold" ? gate : undefined) }));
  const held = say("target", "hold");
  await until(() => stack.upstream.requests.some(({ text }) => text.includes('"hold"')), "the session is held");
  const answer = await say("sender", send({ session_id: "target", message: "Too late.", timeout_seconds: 0 }), { key });
  assert.match(answer, /"status":"(queued|running)"/);
  await stack.callLedger(ours, { revoke: { key_id: keyId } });
  open();
  await held;
  await until(async () => (await states("target")).join() === "failed", "it fails", PATIENT);
  const [{ reason, message }] = await stack.rows("SELECT reason, message FROM sends WHERE session_id = 'target'");
  assert.deepEqual([reason, message], ["invalid_api_key", null]);
  assert.deepEqual(await heard("target"), ["hello", "hold"]);
  // What the queue has brought too often comes by the other queue.
  const id = "snd_01ARZ3NDEKTSV4RRFFQ69G5FAV";
  await stack.rows(
    `INSERT INTO sends (tenant_id, id, session_id, key_id, origin, digest, path, hops, message, state, reason, created_at, updated_at)
     SELECT tenant_id, ?2, session_id, ?3, 'x', digest, path, 1, 'x', 'queued', 'session_busy', created_at, updated_at FROM sends WHERE tenant_id = ?1 AND session_id = 'target'`,
    ours, id, await stack.keyId(ours),
  );
  const { acked } = await stack.deliverQueueBatch([JSON.stringify({ tenant: ours, send: id })], "clawless-sends-dead");
  assert.deepEqual(acked, [0]);
  const [given] = await stack.rows("SELECT state, reason FROM sends WHERE id = ?1", id);
  assert.deepEqual(given, { state: "failed", reason: "session_busy" });
});
