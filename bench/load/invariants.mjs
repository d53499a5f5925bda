// What must hold after a load: every complete turn is stored once, and the receipts, the ledger and the provider agree.
//
// Everything is read through the admin API, so the checks work for every stack: an export has turns, messages and
// receipts, and the error of an exceeded quota has the ledger's used and reserved amounts.
import { setTimeout as sleep } from "node:timers/promises";
import { send, sendJson } from "./client.mjs";

/** The time in which receipts and reservations of killed calls arrive: a lost call ends within 90 s. */
const SETTLE_TIMEOUT_MS = 120_000;

/** The violations that are described one by one. */
const MAX_DESCRIBED = 20;

/**
 * Checks a load. `target` and `calls` are those of users.mjs. `provided` are the provider's records, a map from a message
 * to its calls `{ tokensIn, tokensOut }`, or null if they are unknown. Returns `{ violations, totals }`. Waits at most
 * `timeoutMs` for calls to end, and a quarter of that for their receipts.
 */
export async function check(target, calls, provided, { timeoutMs = SETTLE_TIMEOUT_MS } = {}) {
  const violations = [];
  const totals = { complete: 0, stored: 0, receipts: 0, messages: 0, tokens: 0, microDollars: 0 };
  for (const tenant of target.tenants) {
    const ofTenant = calls.filter((call) => call.tenant === tenant.id && call.name !== null);
    const report = (text) => violations.push(`${tenant.id}: ${text}`);
    const used = await ledgerAmounts(target, tenant, report, timeoutMs);
    const records = await receipted(target, tenant, used.messages, timeoutMs / 4);
    checkTurns(ofTenant, records, report);
    checkReceipts(ofTenant, records, provided, report);
    const sums = sumsOf(records.receipts);
    for (const [amount, sum] of Object.entries(sums)) {
      if (used[amount] !== null && used[amount] !== sum) report(`the ledger has ${used[amount]} ${amount}, the receipts ${sum}`);
      totals[amount] += sum;
    }
    totals.complete += ofTenant.filter(({ code }) => code === "ok").length;
    totals.stored += records.turns.length;
    totals.receipts += records.receipts.length;
  }
  const described = violations.slice(0, MAX_DESCRIBED);
  if (violations.length > MAX_DESCRIBED) described.push(`and ${violations.length - MAX_DESCRIBED} more`);
  return { violations: described, totals };
}

const sumsOf = (receipts) => {
  const sum = (amount) => receipts.reduce((total, { charged }) => total + charged[amount], 0);
  return { messages: sum("messages"), tokens: sum("tokens"), microDollars: sum("micro_dollars") };
};

/** Every turn that its user saw complete is stored once, with its message and the text that was seen; no turn twice. */
function checkTurns(calls, { turns, messages }, report) {
  const stored = group(turns, ({ request_id }) => request_id);
  const texts = group(messages, ({ session_id, turn }) => `${session_id} ${turn}`);
  for (const [request, found] of stored) if (found.length > 1) report(`the turn ${request} is stored ${found.length} times`);
  const names = group(messages.filter(({ message }) => message.role === "user"), ({ message }) => message.content);
  for (const call of calls.filter(({ session }) => session)) {
    const times = names.get(call.name)?.length ?? 0;
    if (times > 1) report(`\`${call.name}\` is stored ${times} times`);
    if (call.code !== "ok") continue;
    const [turn] = stored.get(call.request) ?? [];
    if (!turn) {
      report(`the turn ${call.request} (\`${call.name}\`) was complete and is not stored`);
      continue;
    }
    const contents = (texts.get(`${turn.session_id} ${turn.turn}`) ?? []).map(({ message }) => message.content);
    if (turn.session_id !== call.session || turn.status !== "complete" || contents.join("\n") !== `${call.name}\n${call.text}`) report(`the turn ${call.request} differs from what its user saw: ${turn.status}, ${JSON.stringify(contents)}`);
  }
}

/** Every complete call has one receipt, with the tokens that its client and its provider know. */
function checkReceipts(calls, { receipts }, provided, report) {
  const byRequest = group(receipts, ({ request_id }) => request_id);
  for (const [request, found] of byRequest) if (found.length > 1) report(`${request} has ${found.length} receipts`);
  for (const call of calls.filter(({ code }) => code === "ok")) {
    const [receipt] = byRequest.get(call.request) ?? [];
    if (!receipt) {
      report(`the complete call ${call.request} (\`${call.name}\`) has no receipt`);
      continue;
    }
    const { tokens_in: tokensIn, tokens_out: tokensOut } = receipt;
    const { prompt_tokens, completion_tokens } = call.usage ?? { prompt_tokens: tokensIn, completion_tokens: tokensOut };
    if (prompt_tokens !== tokensIn || completion_tokens !== tokensOut) report(`the receipt of ${call.request} has ${tokensIn} and ${tokensOut} tokens, its client saw ${prompt_tokens} and ${completion_tokens}`);
    const produced = provided?.get(call.name);
    const sum = (amount) => produced.reduce((total, it) => total + it[amount], 0);
    if (provided && !produced) report(`the provider does not know \`${call.name}\``);
    else if (provided && (sum("tokensIn") !== tokensIn || sum("tokensOut") !== tokensOut)) report(`the receipt of ${call.request} has ${tokensIn} and ${tokensOut} tokens, the provider produced ${sum("tokensIn")} and ${sum("tokensOut")}`);
  }
}

/**
 * The ledger's used amounts of this month `{ messages, tokens, microDollars }`, from the refusal of a request that a quota
 * of 0 causes; null for an amount of 0, which a quota of 0 does not refuse. Waits until nothing is reserved.
 */
async function ledgerAmounts(target, tenant, report, timeoutMs) {
  const amounts = { messages: null, tokens: null, microDollars: null };
  const quotas = { messages: "messages_per_month", tokens: "tokens_per_month", microDollars: "micro_dollars_per_month" };
  await setQuotas(target, tenant, { messages_per_month: 0 });
  for (const end = Date.now() + timeoutMs; ; await sleep(500)) {
    const { used, reserved } = await refusedAmounts(target, tenant);
    amounts.messages = used;
    if (reserved === 0) break;
    if (Date.now() < end) continue;
    report(`${reserved} messages are still reserved`);
    break;
  }
  for (const amount of ["tokens", "microDollars"]) {
    if (amounts.messages === 0 || (amount === "microDollars" && !target.isPriced)) continue;
    await setQuotas(target, tenant, { [quotas[amount]]: 0 });
    const { used, reserved } = await refusedAmounts(target, tenant);
    amounts[amount] = used;
    if (reserved !== 0) report(`${reserved} ${amount} are still reserved`);
  }
  await setQuotas(target, tenant, {});
  return amounts;
}

const setQuotas = (target, tenant, quotas) => {
  const unlimited = { messages_per_month: "unlimited", tokens_per_month: "unlimited", micro_dollars_per_month: "unlimited" };
  return sendJson(`${target.url}/admin/tenants/${tenant.id}`, { method: "PATCH", key: target.adminToken, body: { quotas: { ...unlimited, ...quotas } } });
};

async function refusedAmounts(target, tenant) {
  const body = { model: target.model, messages: [{ role: "user", content: "What does the ledger have?" }] };
  const response = await send(`${target.url}/v1/chat/completions`, { method: "POST", key: tenant.key, body });
  const text = await response.text();
  const found = /(\d+) used and (\d+)\s+reserved of 0/.exec(text);
  if (response.status !== 429 || !found) throw new Error(`a request above its quota got ${response.status}: ${text}`);
  return { used: Number(found[1]), reserved: Number(found[2]) };
}

/** The tenant's records, once the receipts account for `messages`, or after a timeout. */
async function receipted(target, tenant, messages, timeoutMs) {
  for (const end = Date.now() + timeoutMs; ; await sleep(1_000)) {
    const records = await exported(target, tenant);
    if (sumsOf(records.receipts).messages >= messages || Date.now() > end) return records;
  }
}

/** The turns, messages and receipts of a tenant's export. */
async function exported(target, tenant) {
  const records = { turns: [], messages: [], receipts: [] };
  const lists = { turn: records.turns, "session.message": records.messages, receipt: records.receipts };
  for (let cursor = null; ; ) {
    const page = await sendJson(`${target.url}/admin/tenants/${tenant.id}/export${cursor ? `?cursor=${encodeURIComponent(cursor)}` : ""}`, { key: target.adminToken });
    for (const record of page.data) lists[record.object]?.push(record);
    cursor = page.next_cursor;
    if (!cursor) return records;
  }
}

function group(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (groups.has(key)) groups.get(key).push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
