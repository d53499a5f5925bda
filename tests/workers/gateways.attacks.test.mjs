// Rate limits, revocation and suspension over two gateways: a change applies on both at once.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, test } from "node:test";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
let next = 0;
before(async () => (stack = await startStack({ tenants: 8, gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

test("a_burst_is_shared_by_both_gateways", async () => {
  const { key } = await tenantWith({ limits: { requests_per_minute: 1, burst: 6, concurrent: null } });
  const statuses = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const response = await postChat(stack, chatBody(), { key, url: stack.urls[index % 2] });
      await response.arrayBuffer();
      return response.status;
    }),
  );
  assert.deepEqual(statuses.sort(), [...Array(6).fill(200), ...Array(14).fill(429)]);
  assert.equal(stack.upstream.requests.length, 6);
});

test("the_limit_of_running_calls_is_shared_by_both_gateways", async () => {
  const { key } = await tenantWith({ limits: { requests_per_minute: null, concurrent: 2 } });
  let release;
  const open = new Promise((resolve) => (release = resolve));
  stack.upstream.always(async (_request, response) => {
    await open;
    response.writeHead(503).end("{}");
  });
  const running = stack.urls.map((url) => postChat(stack, chatBody(), { key, url }));
  try {
    await until(() => stack.upstream.requests.length === 2, "two calls are running");
    for (const url of stack.urls) {
      const response = await postChat(stack, chatBody(), { key, url, signal: AbortSignal.timeout(5000) });
      assert.ok(Number(response.headers.get("retry-after")) >= 1);
      await expectError(response, 429, { code: "rate_limit_exceeded" });
    }
  } finally {
    release();
    for (const response of await Promise.all(running)) await response.arrayBuffer();
  }
  stack.upstream.reset();
  await complete(stack, {}, { key });
});

test("a_revoked_key_is_rejected_at_the_next_request_on_both_gateways_under_load", async () => {
  const { tenant, key } = await tenantWith({ limits: { requests_per_minute: null } });
  for (const url of stack.urls) await complete(stack, {}, { key, url }); // both cache the key
  // Both gateways handle requests all the time.
  let isRevoked = false;
  const load = Array.from({ length: 8 }, async (_, index) => {
    const seen = [];
    while (!isRevoked) {
      const response = await postChat(stack, chatBody(), { key, url: stack.urls[index % 2] });
      await response.arrayBuffer();
      seen.push(response.status);
    }
    return seen;
  });
  await sleep(200);
  await stack.callLedger(tenant, { revoke: { key_id: await stack.keyId(tenant) } });
  const requestsBefore = stack.upstream.requests.length;
  const statuses = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const response = await postChat(stack, chatBody(), { key, url: stack.urls[index % 2] });
      await response.arrayBuffer();
      return response.status;
    }),
  );
  isRevoked = true;
  assert.deepEqual(statuses, Array(100).fill(401));
  const seen = (await Promise.all(load)).flat();
  assert.ok(seen.includes(200) && seen.every((status) => status === 200 || status === 401));
  // Only requests admitted before the revocation may still reach the provider.
  assert.ok(stack.upstream.requests.length - requestsBefore <= load.length);
});

test("in_100_tries_under_load_a_key_is_never_accepted_after_its_revocation_is_confirmed", async () => {
  const { tenant, key } = await tenantWith({ limits: { requests_per_minute: null, concurrent: null } });
  let isOver = false;
  const load = Array.from({ length: 4 }, async (_, index) => {
    while (!isOver) await complete(stack, {}, { key, url: stack.urls[index % 2] });
  });
  const served = [];
  const revokeOne = async (attempt) => {
    const { key: revoked, keyId } = await stack.addKey(tenant);
    const statusAt = (url) => fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${revoked}` } }).then(async (response) => {
      await response.arrayBuffer();
      return response.status;
    });
    assert.deepEqual(await Promise.all(stack.urls.map(statusAt)), [200, 200], "both gateways accept the key");
    await stack.callLedger(tenant, { revoke: { key_id: keyId } });
    const statuses = await Promise.all(stack.urls.map(statusAt));
    if (statuses.some((status) => status !== 401)) served.push({ attempt, statuses });
  };
  try {
    for (let attempt = 0; attempt < 100; attempt += 1) await revokeOne(attempt);
  } finally {
    isOver = true;
    await Promise.all(load);
  }
  assert.deepEqual(served, []);
});

test("a_suspended_tenant_is_rejected_at_the_next_request_on_both_gateways", async () => {
  const { tenant, key } = await tenantWith({});
  for (const url of stack.urls) await complete(stack, {}, { key, url });
  await stack.callLedger(tenant, "suspend");
  for (const url of stack.urls) {
    await expectError(await postChat(stack, chatBody(), { key, url }), 403, { code: "tenant_suspended" });
    await expectError(await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }), 403);
  }
  assert.equal(stack.upstream.requests.length, 2);
});

test("concurrent_turns_of_one_session_on_two_gateways_are_serialised", async () => {
  const { key } = await tenantWith({});
  const headers = { "x-session-id": "one-lane" };
  await complete(stack, { messages: [{ role: "user", content: "first" }] }, { key, headers });
  const turns = ["second", "third", "fourth", "fifth"].map((content, index) =>
    complete(stack, { messages: [{ role: "user", content }] }, { key, headers, url: stack.urls[index % 2] }),
  );
  await Promise.all(turns);
  const lengths = stack.upstream.requests.map(({ body }) => body.messages.length);
  assert.deepEqual(lengths, [1, 3, 5, 7, 9], "each turn includes all earlier turns");
});
