// Attack: one API key uses up what its tenant's other keys need. A key can have limits of its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { silence } from "../harness/behaviours.mjs";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

// Refilled so slowly that a test sees each request.
const ROOMY = { limits: { requests_per_minute: 6, burst: 60, concurrent: 10 } };

let stack;
before(async () => {
  stack = await startStack({ gateways: 2 });
});
after(() => stack.stop());

/** Creates a tenant with a key of each of these limits. */
async function tenantWithKeys(...limits) {
  const { body: tenant } = await stack.admin("POST", "/tenants", { name: "limited", tier: "enterprise", ...ROOMY });
  const keys = [];
  for (const of of limits) {
    const created = await stack.admin("POST", `/tenants/${tenant.id}/keys`, { name: "key", scopes: ["chat", "sessions:read", "sessions:write"], ...(of ? { limits: of } : {}) });
    assert.equal(created.status, 201, JSON.stringify(created.body));
    assert.deepEqual(created.body.limits, { requests_per_minute: null, burst: null, concurrent: null, ...of });
    keys.push(created.body);
  }
  return { tenant: tenant.id, keys };
}

const remaining = (response) => response.headers.get("x-ratelimit-remaining-requests");

test("a_key_at_its_rate_is_refused_on_every_gateway_and_the_others_are_not", async () => {
  const { keys: [limited, free] } = await tenantWithKeys({ requests_per_minute: 1, burst: 3 }, null);
  for (const [at, left] of ["2", "1", "0"].entries()) {
    const { response } = await complete(stack, {}, { key: limited.key, url: stack.urls[at % 2] });
    assert.equal(remaining(response), left);
    assert.equal(response.headers.get("x-ratelimit-limit-requests"), "3", "the tighter limit");
  }
  for (let round = 0; round < 10; round += 1) {
    const response = await postChat(stack, chatBody(), { key: limited.key, url: stack.urls[round % 2] });
    const wait = Number(response.headers.get("retry-after-ms"));
    const error = await expectError(response, 429, { code: "rate_limit_exceeded" });
    assert.match(error.message, /this API key/);
    assert.ok(wait > 0 && wait <= 60_000, `${wait}`);
    const read = await fetch(`${stack.urls[0]}/v1/models`, { headers: { authorization: `Bearer ${limited.key}` } });
    await expectError(read, 429);
  }
  const { response } = await complete(stack, {}, { key: free.key });
  assert.equal(remaining(response), "56", "only admitted requests count");
  assert.equal(response.headers.get("x-ratelimit-limit-requests"), "60");
});

test("a_key_at_its_concurrency_is_refused_and_the_others_are_not", async () => {
  const { keys: [limited, free] } = await tenantWithKeys({ concurrent: 1 }, null);
  stack.upstream.next(silence());
  const abort = new AbortController();
  const running = postChat(stack, chatBody({ stream: true }), { key: limited.key, signal: abort.signal }).catch((error) => error);
  while (stack.upstream.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const error = await expectError(await postChat(stack, chatBody(), { key: limited.key }), 429, { code: "rate_limit_exceeded" });
  assert.match(error.message, /this API key/);
  await complete(stack, {}, { key: free.key });
  abort.abort();
  await running;
});

test("a_change_of_a_keys_limits_applies_to_the_next_request", async () => {
  const { tenant, keys: [key] } = await tenantWithKeys(null);
  const path = `/tenants/${tenant}/keys/${key.id}`;
  for (const url of stack.urls) await complete(stack, {}, { key: key.key, url });
  const changed = await stack.admin("PATCH", path, { name: "renamed", limits: { requests_per_minute: 1 } });
  assert.equal(changed.status, 200, JSON.stringify(changed.body));
  assert.deepEqual([changed.body.name, changed.body.limits], ["renamed", { requests_per_minute: 1, burst: null, concurrent: null }]);
  await complete(stack, {}, { key: key.key, url: stack.urls[1] });
  for (const url of stack.urls) await expectError(await postChat(stack, chatBody(), { key: key.key, url }), 429);

  const { body: rotated } = await stack.admin("POST", `${path}/rotate`, {});
  assert.deepEqual(rotated.limits, { requests_per_minute: 1, burst: null, concurrent: null }, "its successor has the same limits");
  assert.deepEqual((await stack.admin("PATCH", path, { limits: null })).body.limits, { requests_per_minute: null, burst: null, concurrent: null });
  for (const url of stack.urls) await complete(stack, {}, { key: key.key, url });
  const { body: audit } = await stack.admin("GET", `/audit?tenant_id=${tenant}`);
  assert.ok(audit.data.some(({ action, target, after }) => action === "key.update" && target === key.id && after.name === "renamed"));
});

test("invalid_limits_of_a_key_are_rejected_by_name", async () => {
  const { tenant, keys: [key] } = await tenantWithKeys(null);
  const cases = [
    [{ limits: { requests_per_minute: -1 } }, "limits.requests_per_minute"],
    [{ limits: { requests_per_minute: "1" } }, "limits.requests_per_minute"],
    [{ limits: { burst: 1.5 } }, "limits.burst"],
    [{ limits: { burst: 5 } }, "limits.requests_per_minute"],
    [{ limits: { tokens_per_month: 1 } }, "limits.tokens_per_month"],
    [{ limits: 1 }, "limits"],
  ];
  for (const [body, param] of cases) {
    for (const [method, path, more] of [["POST", "", { name: "x", scopes: ["chat"] }], ["PATCH", `/${key.id}`, {}]]) {
      const { status, body: answer } = await stack.admin(method, `/tenants/${tenant}/keys${path}`, { ...more, ...body });
      assert.deepEqual([status, answer.error?.param], [400, param], JSON.stringify([method, body, answer]));
    }
  }
});

test("the_shares_of_reads_and_writes_are_the_tenants_setting", async () => {
  const { tenant, keys: [key] } = await tenantWithKeys(null);
  const read = () => fetch(`${stack.url}/v1/models`, { headers: { authorization: `Bearer ${key.key}` } });
  assert.equal((await read()).headers.get("x-ratelimit-limit-requests"), "30", "half by default");
  const changed = await stack.admin("PATCH", `/tenants/${tenant}`, { limits: { shares: { read: 5 } } });
  assert.deepEqual(changed.body.limits.shares, { chat: 100, read: 5, write: 50 });
  const statuses = [];
  for (let round = 0; round < 5; round += 1) statuses.push((await read()).status);
  assert.ok(statuses.includes(429), statuses.join());
  await complete(stack, {}, { key: key.key });
  for (const read of [0, 101, 1.5, "5", null]) {
    const { status } = await stack.admin("PUT", `/tenants/${tenant}`, { name: "x", limits: { shares: { read } } });
    assert.equal(status, 400, `${read}`);
  }
});
