// Admin changes while the cache is unavailable: the response reports it, and a retry converges.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { complete } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack({ admin: { failingCache: true } })));
after(() => stack.stop());
beforeEach(() => stack.planCacheFault());

/** A tenant with a session that the cache has a copy of. */
async function createTenantWithCopy() {
  const { body: tenant } = await stack.admin("POST", "/tenants", { name: "cached" });
  const { body: minted } = await stack.admin("POST", `/tenants/${tenant.id}/keys`, { name: "n", scopes: ["chat"] });
  await complete(stack, {}, { key: minted.key, headers: { "x-session-id": "s" } });
  await until(async () => (await copiesOf(tenant)) === 1, "the copy");
  return tenant;
}

const copiesOf = async (tenant) => (await stack.cacheKeys()).filter((name) => name.includes(tenant.id)).length;

/** Repeats a request until its work is done, and returns the last response. */
async function finish(method, path) {
  for (let [round, query] = [0, ""]; round < 10; round += 1) {
    const response = await stack.admin(method, `${path}${query}`);
    if (response.status !== 202) return response;
    query = response.body.next_cursor ? `?cursor=${encodeURIComponent(response.body.next_cursor)}` : "";
  }
  return assert.fail("it does not end");
}

const ROUTES = { deletes: (tenant) => ["DELETE", `/tenants/${tenant.id}`], erases: (tenant) => ["POST", `/tenants/${tenant.id}/erase`] };

/** Checks that a change was refused because of the cache, and that a retry makes it. */
async function expectRefusedAndRetried(route, failed, tenant) {
  assert.deepEqual([failed.status, failed.body.error?.code], [503, "service_unavailable"], JSON.stringify(failed.body));
  assert.match(failed.body.error.message, /the cache did not respond.*repeating it is safe/is);
  assert.doesNotMatch(JSON.stringify(failed.body), /KV|internal-detail/);
  assert.ok(Number(failed.headers.get("retry-after")) >= 1);
  // Nothing is reported as done: the tenant is still there, and so is its copy.
  assert.equal((await stack.admin("GET", `/tenants/${tenant.id}`)).status, 200);
  assert.equal(await copiesOf(tenant), 1);
  await stack.planCacheFault();
  const { status, body } = await finish(...route(tenant));
  assert.deepEqual([status, body.deleted ?? body.erased], [200, true], JSON.stringify(body));
  assert.equal(await copiesOf(tenant), 0);
}

describe("fault 18: a cache that fails while it is emptied", () => {
  for (const [verb, route] of Object.entries(ROUTES)) {
    for (const call of ["list", "delete"]) {
      test(`${verb}_a_tenant_503_with_the_reason_and_a_retry_succeeds (${call})`, async () => {
        const tenant = await createTenantWithCopy();
        await stack.planCacheFault(call);
        await expectRefusedAndRetried(route, await finish(...route(tenant)), tenant);
      });
    }
  }

  test("a_cache_that_does_not_answer_is_a_503_after_a_time", async () => {
    const tenants = [await createTenantWithCopy(), await createTenantWithCopy()];
    const routes = Object.values(ROUTES);
    await stack.planCacheFault("list", "silent");
    const started = Date.now();
    const failed = await Promise.all(routes.map((route, at) => finish(...route(tenants[at]))));
    assert.ok(Date.now() - started < 60_000, "a silent cache does not hold the request");
    for (const [at, route] of routes.entries()) await expectRefusedAndRetried(route, failed[at], tenants[at]);
  });

  test("all_other_admin_routes_work_without_the_cache", async () => {
    const tenant = await createTenantWithCopy();
    for (const call of ["get", "put", "list", "delete"]) {
      await stack.planCacheFault(call);
      for (const [method, path, body] of [["GET", ""], ["PATCH", "", { name: call }], ["GET", "/usage"], ["GET", "/keys"], ["GET", "/sessions"], ["GET", "/export"]]) {
        const response = await stack.admin(method, `/tenants/${tenant.id}${path}`, body);
        assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(response.body)}`);
      }
    }
  });
});
