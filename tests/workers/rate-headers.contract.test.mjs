// `x-ratelimit-*` headers on the responses of limited routes, and the accuracy of `retry-after`.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, expectError, MODEL, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
let next = 0;
before(async () => (stack = await startStack({ tenants: 12 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

const get = (path, key) => fetch(`${stack.url}${path}`, { headers: { authorization: `Bearer ${key}` } });

/** Asserts the format of the six headers; returns the remaining requests. */
function expectHeaders(response, { requests, tokens }) {
  const header = (name) => response.headers.get(`x-ratelimit-${name}`);
  assert.equal(header("limit-requests"), String(requests));
  assert.equal(header("limit-tokens"), String(tokens));
  for (const kind of ["requests", "tokens"]) {
    assert.match(header(`remaining-${kind}`), /^\d+$/);
    assert.ok(Number(header(`remaining-${kind}`)) <= Number(header(`limit-${kind}`)));
    assert.match(header(`reset-${kind}`), /^(\d+ms|\d+(\.\d+)?s|\d+m\d+s|\d+h\d+m\d+s)$/);
  }
  return Number(header("remaining-requests"));
}

describe("x-ratelimit headers are on", () => {
  const limits = { limits: { requests_per_minute: 6, burst: 10 }, quotas: { tokens_per_month: 100_000 } };
  for (const [name, { send, status, script, requests = 10 }] of Object.entries({
    an_answer: { send: (key) => postChat(stack, chatBody(), { key }), status: 200 },
    a_stream: { send: (key) => postChat(stack, chatBody({ stream: true }), { key }), status: 200 },
    a_turn_of_a_session: { send: (key) => postChat(stack, chatBody({ session_id: "headers" }), { key }), status: 200 },
    a_failure_of_the_provider: { send: (key) => postChat(stack, chatBody(), { key }), status: 502, script: behaviours.htmlWith200() },
    the_list_of_models: { send: (key) => get("/v1/models", key), status: 200, requests: 5 },
    one_model: { send: (key) => get(`/v1/models/${MODEL}`, key), status: 200, requests: 5 },
  })) {
    test(name, async () => {
      const { key } = await tenantWith(limits);
      if (script) stack.upstream.always(script);
      const first = await send(key);
      assert.equal(first.status, status, await first.text());
      const remaining = expectHeaders(first, { requests, tokens: 100_000 });
      const second = await send(key);
      await second.arrayBuffer();
      assert.equal(expectHeaders(second, { requests, tokens: 100_000 }), remaining - 1);
    });
  }

  test("a_rejection_by_rate_and_a_rejection_by_quota", async () => {
    const slow = await tenantWith({ limits: { requests_per_minute: 1, burst: 1 }, quotas: { tokens_per_month: 100_000 } });
    await (await postChat(stack, chatBody(), { key: slow.key })).arrayBuffer();
    const rejected = await postChat(stack, chatBody(), { key: slow.key });
    assert.equal(expectHeaders(rejected, { requests: 1, tokens: 100_000 }), 0);
    await expectError(rejected, 429, { code: "rate_limit_exceeded" });

    const poor = await tenantWith({ limits: { requests_per_minute: 6, burst: 10 }, quotas: { tokens_per_month: 0 } });
    const usedUp = await postChat(stack, chatBody(), { key: poor.key });
    assert.equal(expectHeaders(usedUp, { requests: 10, tokens: 0 }), 10);
    await expectError(usedUp, 429, { code: "insufficient_quota" });
  });
});

test("an_unlimited_tenant_gets_no_limit_headers", async () => {
  const { key } = await tenantWith({ limits: { requests_per_minute: null, burst: null } });
  const response = await postChat(stack, chatBody(), { key });
  assert.equal(response.status, 200, await response.text());
  assert.deepEqual([...response.headers.keys()].filter((name) => name.startsWith("x-ratelimit-")), []);
});

test("a_request_passes_after_the_reported_wait_and_not_long_before", async () => {
  const { key } = await tenantWith({ limits: { requests_per_minute: 30, burst: 1 } });
  const send = () => postChat(stack, chatBody(), { key });
  assert.equal((await send()).status, 200);
  for (let round = 0; round < 2; round += 1) {
    const rejected = await send();
    await expectError(rejected, 429, { code: "rate_limit_exceeded" });
    const wait = Number(rejected.headers.get("retry-after-ms"));
    assert.ok(wait > 200 && wait <= 2000, `retry-after-ms: ${wait}`);
    assert.equal(Number(rejected.headers.get("retry-after")), Math.ceil(wait / 1000));
    await sleep(wait - 150);
    await expectError(await send(), 429);
    await sleep(160);
    const passed = await send();
    assert.equal(passed.status, 200, await passed.text());
  }
});
