// Fault 22: the stack is killed under load and restarted. Its books state what is known, and mark the rest.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, eventsAsTheyArrive, expectError, postChat, readEvents } from "../harness/client.mjs";
import { startStackProcess } from "../harness/serve.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";
import { until } from "../harness/wait.mjs";

/** After the deadline of every reservation that is not renewed, which is 60 s after its grant. */
const AFTER_THE_DEADLINES = 61_000;
const CLIENTS = 24;

let persist;
let upstream;
before(async () => {
  persist = mkdtempSync(path.join(tmpdir(), "clawless-kill-"));
  upstream = await startUpstream();
});
after(async () => {
  await upstream.close();
  rmSync(persist, { recursive: true, force: true });
});

/** The usage that the provider reports for each call, by the call's name; unique per call. */
const log = new Map();
let isKilled = false;

function respondAndLog() {
  return async (request, response) => {
    const name = request.body.messages.at(-1).content;
    const number = Number(name.split("-")[1]);
    const usage = { prompt_tokens: 1000 + number, completion_tokens: 1 + (number % 97), total_tokens: 1001 + number + (number % 97) };
    const entry = { usage, ended: false };
    assert.ok(!log.has(name), "the provider receives every call once");
    log.set(name, entry);
    const behave = request.body.stream ? behaviours.stream({ pieces: Array(10).fill("word "), delayMs: number % 30, usage }) : behaviours.completion({ usage });
    await sleep(50 + (number % 40)); // so that no rate limit is reached
    await behave(request, response);
    entry.ended = !isKilled;
  };
}

/** Sends calls without a pause until the stack is killed: streamed, whole, and in sessions. */
async function load(stack, client, calls) {
  for (;;) {
    const call = { name: `call-${calls.length}`, finished: false, session: client % 3 === 0 ? `session-${client}` : undefined };
    calls.push(call);
    try {
      const body = chatBody({ stream: calls.length % 2 === 0, messages: [{ role: "user", content: call.name }] });
      const headers = call.session ? { "x-session-id": call.session } : {};
      const response = await postChat(stack, body, { key: stack.tenants[0].secret_key, headers, url: stack.urls[client % 2] });
      call.request = response.headers.get("x-request-id");
      const text = await response.text();
      assert.equal(response.status, 200, text);
      call.finished = body.stream ? readEvents(text).done : JSON.parse(text).choices.length === 1;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return; // the stack is killed
    }
  }
}

/** The number of used and reserved messages, from the error of an exceeded quota. */
async function messages(stack, { tenant, key, version }) {
  const limits = { requests_per_minute: null, burst: null, concurrent: null };
  const configure = (newer, quotas) => stack.callLedger(tenant, { configure: { version: newer, status: "active", limits, quotas } });
  const none = { messages_per_month: null, tokens_per_month: null, micro_dollars_per_month: null };
  await stack.rows("UPDATE tenants SET settings = ?1, version = ?2 WHERE id = ?3", JSON.stringify({ limits, quotas: { messages_per_month: 0 } }), version, tenant);
  await configure(version, { ...none, messages_per_month: 0 });
  const { message } = await expectError(await postChat(stack, chatBody(), { key }), 429, { code: "insufficient_quota" });
  const [, used, open] = message.match(/(\d+) used and (\d+) reserved of 0/).map(Number);
  await stack.rows("UPDATE tenants SET settings = ?1, version = ?2 WHERE id = ?3", JSON.stringify({ limits }), version + 1, tenant);
  await configure(version + 1, none);
  return { used, open };
}

test("a_tenant_at_its_concurrency_limit_is_served_again_within_90_s_after_a_kill", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "clawless-kill-"));
  try {
    upstream.always(behaviours.events((request) => behaviours.openingEvents(request, ["never", "ending"]), { ending: (response) => behaviours.silence()(undefined, response) }));
    const first = await startStackProcess({ persist: folder, upstream, tenants: 1, settings: { limits: { requests_per_minute: null, burst: null, concurrent: 2 } } });
    const [{ secret_key: key }] = first.tenants;
    try {
      for (const headers of [{}, { "x-session-id": "killed" }]) {
        const response = await postChat(first, chatBody({ stream: true }), { key, headers });
        for await (const event of eventsAsTheyArrive(response)) if (event.includes("ending")) break;
      }
      await expectError(await postChat(first, chatBody(), { key }), 429, { code: "rate_limit_exceeded" });
    } finally {
      await first.kill();
    }
    upstream.always(behaviours.completionOrStream());
    // A minute later: the ledger's own alarm ends the calls, at most half a minute after that.
    const later = await startStack({ persist: folder, fresh: false, tenants: 0, upstream, clockAheadMs: 60_000 });
    try {
      for (const headers of [{}, { "x-session-id": "killed" }]) {
        const isServed = async () => {
          const response = await postChat(later, chatBody(), { key, headers });
          await response.arrayBuffer();
          return response.status === 200;
        };
        await until(isServed, "the tenant is served again", { timeoutMs: 30_000 });
      }
    } finally {
      await later.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("after_a_kill_under_load_and_the_deadlines_every_call_has_one_receipt_with_exact_tokens", async () => {
  upstream.always(respondAndLog());
  const calls = [];
  const first = await startStackProcess({ persist, upstream, tenants: 1, gateways: 2 });
  const [{ tenant_id: tenant, secret_key: key }] = first.tenants;
  const clients = Array.from({ length: CLIENTS }, (_, client) => load(first, client, calls));
  await sleep(4000);
  isKilled = true;
  await first.kill();
  await Promise.all(clients);
  const finished = calls.filter((call) => call.finished);
  // A response that the provider finished after `isKilled` was set may still have reached its client: it isn't cut.
  const seen = new Set(finished.map(({ name }) => name));
  const cut = [...log].filter(([name, { ended }]) => !ended && !seen.has(name));
  assert.ok(finished.length > 50, `${finished.length} calls finished`);
  assert.ok(cut.length > 0, "some calls were cut");

  const early = await startStack({ persist, fresh: false, tenants: 0, upstream });
  let admitted;
  try {
    const { used, open } = await messages(early, { tenant, key, version: 2 });
    admitted = used + open;
    assert.ok(used >= finished.length, "every finished call is settled, or open until the sweep finds its turn");
    // A call may have been settled just before the kill, before its response arrived.
    const settledWithoutResponse = used - finished.length;
    assert.ok(open + settledWithoutResponse >= cut.length, `${open} open and ${settledWithoutResponse} settled unseen where ${cut.length} were cut`);
    assert.ok(open <= calls.length - finished.length, "no finished call is open");
    assert.ok(admitted >= log.size && admitted <= calls.length);
  } finally {
    await early.stop();
  }

  const late = await startStack({ persist, fresh: false, tenants: 0, upstream, clockAheadMs: AFTER_THE_DEADLINES });
  try {
    upstream.always(behaviours.completionOrStream());
    await fetch(`${late.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then((response) => response.arrayBuffer());
    await late.deliverAlarm(tenant);
    const receipts = await late.receipts(tenant, admitted);
    const { used, open } = await messages(late, { tenant, key, version: 4 });
    assert.equal(open, 0, "no reservation is open");
    assert.equal(used, receipts.reduce((sum, { charged_messages }) => sum + charged_messages, 0), "the ledger and the receipts agree");

    const byRequest = new Map(receipts.map((receipt) => [receipt.request_id, receipt]));
    for (const call of finished) {
      const receipt = byRequest.get(call.request);
      assert.ok(receipt, `${call.name} has a receipt`);
      const { prompt_tokens, completion_tokens, total_tokens } = log.get(call.name).usage;
      assert.deepEqual(
        [receipt.tokens_in, receipt.tokens_out, receipt.charged_tokens, receipt.provenance],
        [prompt_tokens, completion_tokens, total_tokens, "provider"],
        call.name,
      );
    }
    const finishedRequests = new Set(finished.map(({ request }) => request));
    const others = receipts.filter(({ request_id }) => !finishedRequests.has(request_id));
    const provided = new Set([...log.values()].map(({ usage }) => usage.prompt_tokens));
    for (const { provenance, session_id, charged_tokens, tokens_in } of others) {
      if (provenance === "provider") assert.ok(provided.has(tokens_in), "settled before the kill without a response");
      else if (session_id) assert.deepEqual([provenance, charged_tokens], ["released", 0]);
      else assert.ok(provenance === "swept" && charged_tokens > 0, provenance);
    }
    assert.equal(finished.length + others.length, admitted);
    assert.ok(others.length >= cut.length);

    // Every session continues with all finished turns.
    for (const session of new Set(calls.map((call) => call.session).filter(Boolean))) {
      await complete(late, {}, { key, headers: { "x-session-id": session } });
      const received = upstream.lastBody.messages.map(({ content }) => content);
      for (const call of finished) if (call.session === session) assert.ok(received.includes(call.name), call.name);
    }
  } finally {
    await late.stop();
  }
});
