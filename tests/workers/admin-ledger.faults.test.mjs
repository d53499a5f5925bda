// Admin changes while the ledger is unavailable: the response reports it, and a retry converges.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startStack } from "../harness/stack.mjs";

/** A ledger that fails while `isDown` and records its inputs. */
const LEDGER = `
import { DurableObject } from "cloudflare:workers";
let isDown = true;
const inputs = [];
export class TenantLedger extends DurableObject {
  async ask(request) {
    if (isDown) throw new Error("down");
    inputs.push(JSON.parse(request).input);
    return JSON.stringify({ answer: "done", headers: { requests: null, tokens: null } });
  }
  async fetch(request) {
    if (new URL(request.url).pathname === "/up") isDown = false;
    return Response.json(inputs);
  }
}
export default { fetch: () => new Response() };`;

let stack;
let tenant;
before(async () => {
  stack = await startStack({ ledgerScript: LEDGER });
  tenant = stack.tenants[0].tenant_id;
});
after(() => stack.stop());

test("a_revocation_that_does_not_reach_the_ledger_is_503_and_a_retry_succeeds", async () => {
  const id = await stack.keyId(tenant);
  const revoke = () => stack.admin("POST", `/tenants/${tenant}/keys/${id}/revoke`);
  const rotated = await stack.admin("POST", `/tenants/${tenant}/keys`, { name: "x", scopes: ["chat"] });
  const { status, body } = await stack.admin("POST", `/tenants/${tenant}/keys/${rotated.body.id}/rotate`, {});
  assert.deepEqual([status, body.in_force], [201, false], "the new key is returned and reported as not yet in force");

  const first = await revoke();
  assert.deepEqual([first.status, first.body.error.code], [503, "service_unavailable"]);
  assert.match(first.body.error.message, /revoked in the database/);
  assert.ok(Number(first.headers.get("retry-after")) >= 1);
  const [{ revoked_at: revokedAt }] = await stack.rows("SELECT revoked_at FROM api_keys WHERE id = ?1", id);
  assert.ok(revokedAt > 0);

  await stack.fetchLedger(tenant, "/up");
  const second = await revoke();
  assert.equal(second.status, 200);
  const inputs = await (await stack.fetchLedger(tenant, "/inputs")).json();
  assert.deepEqual(inputs, [{ revoke: { key_id: id } }]);
  assert.equal((await stack.rows("SELECT 1 FROM audit_log WHERE target = ?1 AND action = 'key.revoke'", id)).length, 1);
});
