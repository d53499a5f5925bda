// The load test of bench/load: it finds a stack that works correct, and reports each kind of damage.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { check } from "../../bench/load/invariants.mjs";
import { percentile, summary } from "../../bench/load/latencies.mjs";
import { assess, processesNamed, residentMiB } from "../../bench/load/memory.mjs";
import { report, text } from "../../bench/load/report.mjs";
import { startOwn } from "../../bench/load/target.mjs";
import { KINDS, runUsers } from "../../bench/load/users.mjs";

const SECONDS = 6;
const options = { users: 12, durationMs: SECONDS * 1000, thinkMs: 300, tenants: 2, soak: false };

let target;
const calls = [];
before(async () => {
  target = await startOwn(options);
  const end = Date.now() + options.durationMs;
  await runUsers(target, { ...options, isOver: () => Date.now() > end }, calls);
});
after(() => target?.stop());

const violations = async (provided = target.provided, seen = calls) => (await check(target, seen, provided, { timeoutMs: 4_000 })).violations;

/** Runs `damage`, expects one violation that matches, and repairs the damage. */
async function expectViolation(pattern, damage, repair) {
  await damage();
  try {
    const found = await violations();
    assert.ok(found.some((violation) => pattern.test(violation)), `${pattern} in ${JSON.stringify(found)}`);
  } finally {
    await repair();
  }
}

/** Takes a row out of a table, and puts it back. */
function without(table, row) {
  const [columns, values] = [Object.keys(row), Object.values(row)];
  const marks = columns.map((_, at) => `?${at + 1}`).join(", ");
  return {
    damage: () => target.stack.rows(`DELETE FROM ${table} WHERE tenant_id = ?1 AND request_id = ?2`, row.tenant_id, row.request_id),
    repair: () => target.stack.rows(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${marks})`, ...values),
  };
}

const complete = (kind) => calls.find((call) => call.kind === kind && call.code === "ok");
const rowOf = async (table, { request }) => (await target.stack.rows(`SELECT * FROM ${table} WHERE request_id = ?1`, request))[0];

test("every_kind_of_user_gets_answers_and_all_invariants_hold", async () => {
  for (const kind of new Set(KINDS)) assert.ok(complete(kind), `${kind}: ${JSON.stringify(calls.filter((call) => call.kind === kind).slice(0, 3))}`);
  const { violations, totals } = await check(target, calls, target.provided);
  assert.deepEqual(violations, []);
  const chats = calls.filter(({ code, name }) => code === "ok" && name !== null).length;
  assert.ok(totals.complete === chats && totals.receipts >= chats && totals.microDollars > 0, JSON.stringify(totals));
  const result = report({ options, calls, elapsedMs: options.durationMs, memory: assess([]), violations, totals, knowsProvider: true });
  assert.ok(result.passed && result.complete === chats && result.total_ms.p50 > 0);
  assert.match(text(result), /Passed/);
});

test("a_missing_receipt_is_reported", async () => {
  const call = complete("stream");
  const { damage, repair } = without("receipts", await rowOf("receipts", call));
  await expectViolation(new RegExp(`the complete call ${call.request} .* has no receipt`), damage, repair);
});

test("a_receipt_with_other_tokens_or_another_charge_is_reported", async () => {
  const { request, usage } = complete("whole");
  const set = (tokensIn) => target.stack.rows("UPDATE receipts SET tokens_in = ?1 WHERE request_id = ?2", tokensIn, request);
  await expectViolation(/its client saw/, () => set(usage.prompt_tokens + 1), () => set(usage.prompt_tokens));
  const charge = (by) => target.stack.rows("UPDATE receipts SET charged_micro_dollars = charged_micro_dollars + ?1 WHERE request_id = ?2", by, request);
  await expectViolation(/the ledger has \d+ microDollars, the receipts \d+/, () => charge(1), () => charge(-1));
});

test("a_turn_that_is_lost_or_stored_differently_is_reported", async () => {
  const { request, session, name } = complete("session_stream");
  const [turn] = await target.stack.rows("SELECT * FROM turns WHERE request_id = ?1", request);
  const messages = await target.stack.rows("SELECT * FROM messages WHERE session_id = ?1 AND seq = ?2", session, turn.seq);
  const update = (content) => target.stack.rows("UPDATE messages SET content = ?1 WHERE id = ?2", content, messages[1].id);
  await expectViolation(/differs from what its user saw/, () => update('{"role":"assistant","content":"Another text."}'), () => update(messages[1].content));
  const { damage, repair } = without("turns", turn);
  const restore = async () => {
    await repair();
    for (const message of messages) await without("messages", message).repair();
  };
  await expectViolation(new RegExp(`the turn ${request} .*${name}.* is not stored`), damage, restore);
});

test("a_turn_that_is_stored_twice_is_reported", async () => {
  const second = complete("session");
  const first = calls.find(({ session, tenant, name, code }) => session && tenant === second.tenant && name !== second.name && code === "ok");
  const [{ seq, content }] = await target.stack.rows("SELECT m.seq, m.content FROM messages m JOIN turns t USING (tenant_id, session_id, seq) WHERE t.request_id = ?1 AND m.position = 0", second.request);
  const set = (text) => target.stack.rows("UPDATE messages SET content = ?1 WHERE session_id = ?2 AND seq = ?3 AND position = 0", text, second.session, seq);
  await expectViolation(/is stored 2 times/, () => set(JSON.stringify({ role: "user", content: first.name })), () => set(content));
});

test("a_call_that_the_provider_did_not_produce_is_reported", async () => {
  const { name } = complete("stream");
  const provided = new Map(target.provided);
  provided.delete(name);
  assert.match((await violations(provided)).join(), new RegExp(`the provider does not know .${name}`));
});

test("percentiles_are_measured_values", () => {
  const hundred = Array.from({ length: 100 }, (_, at) => at + 1);
  assert.deepEqual([50, 95, 99, 100].map((percent) => percentile(hundred, percent)), [50, 95, 99, 100]);
  assert.equal(percentile([], 50), null);
  assert.deepEqual(summary([3, 1, 2]), { count: 3, p50: 2, p95: 3, p99: 3, max: 3 });
});

test("memory_is_flat_or_growing_by_its_medians", () => {
  const samples = (mib) => Array.from({ length: 40 }, (_, at) => [at * 1000, mib(at)]);
  // A garbage collector saws, and the beginning does not count.
  assert.equal(assess(samples((at) => (at < 10 ? at * 10 : 100 + (at % 5) * 4))).flat, true);
  assert.equal(assess(samples((at) => 100 + at)).flat, false);
  assert.equal(assess(samples(() => 100).slice(0, 4)).flat, null);
});

test("the_memory_of_the_runtime_is_read", { skip: process.platform !== "linux" && "reads /proc" }, () => {
  const pids = processesNamed("workerd", [process.pid]);
  assert.ok(pids.length > 0);
  assert.ok(residentMiB(pids) > 10);
});
