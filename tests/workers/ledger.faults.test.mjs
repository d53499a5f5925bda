// Faults 19 to 21: the ledger is restarted or unavailable, or its alarm fails or is delivered twice.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
let next = 0;
before(async () => (stack = await startStack({ tenants: 10, gateways: 2, clockAheadMs: 0 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

const remainingTokens = (response) => Number(response.headers.get("x-ratelimit-remaining-tokens"));

describe("fault 19: the ledger is evicted from memory", () => {
  test("usage_is_kept", async () => {
    const { tenant, key } = await tenantWith({ quotas: { messages_per_month: 2 } });
    await complete(stack, {}, { key });
    await stack.evict(tenant);
    await complete(stack, {}, { key, url: stack.urls[1] });
    await stack.evict(tenant);
    const { message } = await expectError(await postChat(stack, chatBody(), { key }), 429, { code: "insufficient_quota" });
    assert.match(message, /2 used and 0 reserved of 2/);
  });

  test("a_running_call_stays_reserved_and_settles_exactly", async () => {
    const { tenant, key } = await tenantWith({ quotas: { tokens_per_month: 10_000 } });
    let finish;
    const open = new Promise((resolve) => (finish = resolve));
    stack.upstream.next(async (request, response) => {
      await open;
      await behaviours.stream({})(request, response);
    });
    const running = completeStream(stack, { max_tokens: 5000 }, { key });
    await until(() => stack.upstream.requests.length === 1, "the stream is running");
    const before = remainingTokens((await complete(stack, { max_tokens: 100 }, { key })).response);
    assert.ok(before < 5000, "the stream reserves more than half of the quota");
    await stack.evict(tenant);
    const after = remainingTokens((await complete(stack, { max_tokens: 100 }, { key })).response);
    assert.equal(after, before - behaviours.USAGE.total_tokens);
    await stack.evict(tenant);
    finish();
    assert.ok((await running).done);
    const receipts = await stack.receipts(tenant, 3);
    assert.deepEqual(receipts.map(({ charged_tokens }) => charged_tokens), Array(3).fill(behaviours.USAGE.total_tokens));
  });

  test("a_revoked_key_stays_revoked_and_a_suspended_tenant_suspended", async () => {
    const { tenant, key } = await tenantWith({});
    await complete(stack, {}, { key });
    await stack.callLedger(tenant, { revoke: { key_id: await stack.keyId(tenant) } });
    await stack.evict(tenant);
    await expectError(await postChat(stack, chatBody(), { key }), 401);

    const other = await tenantWith({});
    await complete(stack, {}, { key: other.key });
    await stack.callLedger(other.tenant, "suspend");
    await stack.evict(other.tenant);
    await expectError(await postChat(stack, chatBody(), { key: other.key }), 403);
  });

  test("a_session_continues", async () => {
    const { tenant, key } = await tenantWith({});
    for (let turn = 0; turn < 3; turn += 1) {
      await complete(stack, {}, { key, headers: { "x-session-id": "goes-on" }, url: stack.urls[turn % 2] });
      await stack.evict(tenant);
    }
    assert.deepEqual(stack.upstream.requests.map(({ body }) => body.messages.length), [1, 3, 5]);
  });
});

describe("fault 20: no response from the ledger", () => {
  const ledgerWith = (ask) => `
    import { DurableObject } from "cloudflare:workers";
    export class TenantLedger extends DurableObject {
      calls = 0;
      async ask() { this.calls += 1; ${ask} }
      async fetch() { return Response.json(this.calls); }
    }
    export default { fetch: () => new Response() };`;
  // Two calls and a list. A call whose admission response was lost sends one more request, to release its reservation.
  for (const [name, { tries, requests = 5, ...options }] of Object.entries({
    an_absent_ledger: { without: ["LEDGER"] },
    a_broken_ledger: { ledgerScript: ledgerWith('throw new Error("the ledger cannot answer");'), tries: 3 },
    a_ledger_with_invalid_responses: { ledgerScript: ledgerWith('return "{}";'), tries: 3 },
    an_overloaded_ledger: { ledgerScript: ledgerWith("return undefined;"), tries: 1, requests: 3 },
    a_ledger_that_never_responds: { ledgerScript: ledgerWith("return new Promise(() => setTimeout(() => {}, 60_000));"), tries: 1 },
  })) {
    test(`${name}_sheds_every_request_with_503_and_calls_no_provider`, async () => {
      const broken = await startStack(options);
      try {
        const authorization = `Bearer ${broken.key}`;
        const responses = await Promise.all([
          postChat(broken, chatBody()),
          postChat(broken, chatBody({ stream: true, session_id: "shed" })),
          fetch(`${broken.url}/v1/models`, { headers: { authorization } }),
        ]);
        for (const response of responses) {
          assert.ok(Number(response.headers.get("retry-after")) >= 1);
          const { message } = await expectError(response, 503, { code: "service_unavailable" });
          assert.doesNotMatch(message, /ledger|overloaded|Durable|\{\}/i);
        }
        assert.equal(broken.upstream.requests.length, 0);
        const count = async () => Number(await broken.callLedger(broken.tenants[0].tenant_id, "count"));
        if (tries) await until(async () => (await count()) >= tries * requests, "every request is sent");
        if (tries) assert.equal(await count(), tries * requests, "an overloaded or silent ledger gets no retries");
        await expectError(await postChat(broken, chatBody(), { key: "cl_sk_garbage" }), 401);
      } finally {
        await broken.stop();
      }
    });
  }

  test("an_overloaded_ledger_sheds_new_calls_at_once_and_completes_admitted_calls", async () => {
    const busy = await startStack({ vars: { LEDGER_QUEUE_LIMIT: "0" } });
    try {
      await busy.updateSettings(busy.tenants[0].tenant_id, { limits: { requests_per_minute: 100_000, burst: 10_000, concurrent: 10_000 } });
      const responses = await Promise.all(Array.from({ length: 200 }, () => postChat(busy, chatBody())));
      const shed = responses.filter(({ status }) => status === 503);
      const served = responses.filter(({ status }) => status === 200);
      assert.ok(shed.length > 0 && served.length > 0, `${shed.length} shed, ${served.length} served`);
      assert.equal(shed.length + served.length, 200);
      for (const response of shed) assert.ok(Number(response.headers.get("retry-after")) >= 1);
      assert.equal(busy.upstream.requests.length, served.length, "no provider is called for shed requests");
      await complete(busy);
      const receipts = await busy.receipts(busy.tenants[0].tenant_id, served.length + 1);
      assert.ok(receipts.every(({ provenance }) => provenance === "provider"));
    } finally {
      await busy.stop();
    }
  });
});

describe("fault 21: the alarm", () => {
  test("that_is_repeatedly_delivered_twice_leaves_one_receipt_per_call", async () => {
    const { tenant, key } = await tenantWith({});
    for (let call = 0; call < 5; call += 1) {
      await complete(stack, {}, { key });
      await Promise.all([stack.deliverAlarm(tenant), stack.deliverAlarm(tenant)]);
    }
    const receipts = await stack.receipts(tenant, 5);
    await stack.deliverAlarm(tenant);
    assert.deepEqual(await stack.receipts(tenant, 5), receipts, "the receipts do not change");
    assert.deepEqual(receipts.map(({ charged_tokens, provenance }) => [charged_tokens, provenance]), Array(5).fill([18, "provider"]));
  });

  test("that_fails_keeps_the_receipts_and_writes_each_once_when_the_database_is_back", async () => {
    const { tenant, key } = await tenantWith({ quotas: { messages_per_month: 3 } });
    await stack.rows("ALTER TABLE receipts RENAME TO receipts_away");
    try {
      for (let call = 0; call < 3; call += 1) await complete(stack, {}, { key, url: stack.urls[call % 2] });
      await stack.deliverAlarm(tenant);
      await sleep(2500); // the ledger's own alarm fails too
      await stack.evict(tenant);
      await stack.deliverAlarm(tenant);
      await expectError(await postChat(stack, chatBody(), { key }), 429, { code: "insufficient_quota" });
    } finally {
      await stack.rows("ALTER TABLE receipts_away RENAME TO receipts");
    }
    // Without another alarm from the test, the ledger retries by itself.
    const receipts = await stack.receipts(tenant, 3);
    assert.deepEqual(receipts.map(({ charged_messages, charged_tokens }) => [charged_messages, charged_tokens]), Array(3).fill([1, 18]));
    await expectError(await postChat(stack, chatBody(), { key }), 429, { code: "insufficient_quota" });
  });
});
