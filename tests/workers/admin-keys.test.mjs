// /admin/tenants/{id}/keys by route and status, over two gateways: changes apply on both at once.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { chatBody, complete, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
let tenant;
before(async () => {
  stack = await startStack({ tenants: 2, gateways: 2 });
  tenant = stack.tenants[0].tenant_id;
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const keys = (id = tenant) => `/tenants/${id}/keys`;
const seconds = () => Math.floor(Date.now() / 1000);

async function createKey(fields = {}) {
  const { status, body } = await stack.admin("POST", keys(), { name: "server", scopes: ["chat"], ...fields });
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

async function expectRejected(expected, { code, param }, method, path, body, options) {
  const response = await stack.admin(method, path, body, options);
  assert.equal(response.status, expected, JSON.stringify(response.body));
  assert.equal(response.body.error.code, code);
  if (param !== undefined) assert.equal(response.body.error.param, param);
  return response.body.error;
}

/** The status of a chat request with a key, on each gateway. */
async function statuses(key) {
  const statusAt = async (url) => {
    const response = await postChat(stack, chatBody(), { key, url });
    await response.arrayBuffer();
    return response.status;
  };
  return [await statusAt(stack.urls[0]), await statusAt(stack.urls[1])];
}

describe("POST keys", () => {
  test("201_returns_a_working_key_that_is_never_shown_again", async () => {
    const minted = await createKey({ scopes: ["chat", "sessions:read"], expires_at: seconds() + 3600 });
    assert.match(minted.key, /^cl_sk_[0-9A-Za-z]{33}$/);
    assert.deepEqual(minted.scopes, ["chat", "sessions:read"]);
    assert.deepEqual(await statuses(minted.key), [200, 200]);
    const shown = await stack.admin("GET", `${keys()}/${minted.id}`);
    assert.equal(shown.status, 200);
    const { key: _key, ...record } = minted;
    assert.deepEqual(shown.body, { ...record, last_used_at: shown.body.last_used_at });
    for (const table of ["api_keys", "audit_log"]) {
      assert.ok(!JSON.stringify(await stack.rows(`SELECT * FROM ${table}`)).includes(minted.key.slice(6)), table);
    }
    assert.ok(!JSON.stringify(stack.logs).includes(minted.key.slice(6)), "the log");
  });

  test("201_for_a_public_key_with_origins", async () => {
    const minted = await createKey({ kind: "public", scopes: [], allowed_origins: ["https://example.org"] });
    assert.match(minted.key, /^cl_pk_/);
    assert.deepEqual(minted.allowed_origins, ["https://example.org"]);
    assert.deepEqual(await statuses(minted.key), [403, 403], "it only opens widget sessions");
  });

  test("400_names_the_invalid_parameter", async () => {
    const cases = [
      [{ scopes: ["chat"] }, "missing_required_parameter", "name"],
      [{ name: "x" }, "missing_required_parameter", "scopes"],
      [{ name: "", scopes: ["chat"] }, "invalid_value", "name"],
      [{ name: "a\nb", scopes: ["chat"] }, "invalid_value", "name"],
      [{ name: "x".repeat(201), scopes: ["chat"] }, "invalid_value", "name"],
      [{ name: "x", scopes: ["admin"] }, "invalid_type", "scopes[0]"],
      [{ name: "x", scopes: "chat" }, "invalid_type", "scopes"],
      [{ name: "x", scopes: ["chat"], tenant_id: tenant }, "unknown_parameter", "tenant_id"],
      [{ name: "x", scopes: ["chat"], role: "admin" }, "unknown_parameter", "role"],
      [{ name: "x", scopes: ["chat"], expires_at: seconds() - 1 }, "invalid_value", "expires_at"],
      [{ name: "x", scopes: ["chat"], expires_at: Date.now() + 3_600_000 }, "invalid_value", "expires_at"],
      [{ name: "x", scopes: ["chat"], expires_at: "soon" }, "invalid_type", "expires_at"],
      [{ name: "x", scopes: ["chat"], allowed_origins: ["https://example.org"] }, "invalid_value", "allowed_origins"],
      [{ name: "x", kind: "public" }, "missing_required_parameter", "allowed_origins"],
      [{ name: "x", kind: "public", allowed_origins: ["null"] }, "invalid_value", "allowed_origins"],
      [{ name: "x", kind: "public", allowed_origins: ["https://example.org/"] }, "invalid_value", "allowed_origins"],
      [{ name: "x", kind: "admin", scopes: ["chat"] }, "invalid_type", "kind"],
      ['{"name":"x","name":"y","scopes":["chat"]}', "invalid_type"],
      ["{", "invalid_json"],
    ];
    // Receipts of earlier calls may still be written.
    const rows = async () => ({ ...(await stack.rowCounts()), receipts: undefined });
    const before = await rows();
    for (const [body, code, param] of cases) await expectRejected(400, { code, param }, "POST", keys(), body);
    assert.deepEqual(await rows(), before);
  });

  test("404_for_an_unknown_tenant_and_409_for_one_that_is_being_deleted", async () => {
    const body = { name: "x", scopes: ["chat"] };
    await expectRejected(404, { code: "resource_not_found" }, "POST", keys("ten_01ARZ3NDEKTSV4RRFFQ69G5FAV"), body);
    await expectRejected(404, { code: "resource_not_found" }, "POST", keys("unknown"), body);
    const going = stack.tenants[1].tenant_id;
    await stack.rows("UPDATE tenants SET status = 'deleting' WHERE id = ?1", going);
    await expectRejected(409, { code: "conflict" }, "POST", keys(going), body);
  });

  test("413_for_a_large_body_and_415_for_a_wrong_content_type", async () => {
    await expectRejected(415, { code: "unsupported_media_type" }, "POST", keys(), "{}", { headers: { "content-type": "text/plain" } });
    await expectRejected(413, { code: "request_too_large" }, "POST", keys(), { name: "x".repeat(300_000) });
  });
});

describe("GET keys", () => {
  test("200_lists_page_by_page_without_the_keys", async () => {
    const minted = [await createKey(), await createKey(), await createKey()].map(({ id }) => id).sort();
    const first = await stack.admin("GET", `${keys()}?limit=2`);
    assert.equal(first.status, 200);
    assert.deepEqual(Object.keys(first.body), ["object", "data", "has_more", "next_cursor"]);
    assert.equal(first.body.data.length, 2);
    assert.equal(first.body.has_more, true);
    const seen = [...first.body.data];
    for (let cursor = first.body.next_cursor; cursor; ) {
      const { body } = await stack.admin("GET", `${keys()}?limit=2&cursor=${cursor}`);
      seen.push(...body.data);
      cursor = body.next_cursor;
    }
    const ids = seen.map(({ id }) => id);
    assert.deepEqual(ids, [...ids].sort());
    assert.ok(minted.every((id) => ids.includes(id)));
    assert.ok(seen.every((key) => key.tenant_id === tenant && !("key" in key) && !("digest" in key)));
  });

  test("400_for_an_invalid_query_and_404_for_an_unknown_key", async () => {
    for (const [query, param] of [["limit=0", "limit"], ["limit=101", "limit"], ["limit=x", "limit"], ["cursor=x", "cursor"]]) {
      await expectRejected(400, { code: "invalid_value", param }, "GET", `${keys()}?${query}`);
    }
    for (const [query, code] of [["offset=1", "unknown_parameter"], ["limit=1&limit=2", "invalid_value"]]) await expectRejected(400, { code }, "GET", `${keys()}?${query}`);
    await expectRejected(404, { code: "resource_not_found" }, "GET", keys("ten_01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    await expectRejected(404, { code: "resource_not_found" }, "GET", `${keys()}/key_01ARZ3NDEKTSV4RRFFQ69G5FAV`);
    const { id } = await createKey();
    await expectRejected(404, { code: "resource_not_found" }, "GET", `${keys(stack.tenants[1].tenant_id)}/${id}`);
  });

  test("200_reports_the_last_use_without_a_write_per_request", async () => {
    const { id, key } = await createKey();
    await complete(stack, {}, { key });
    for (const end = Date.now() + 15_000; ; await sleep(200)) {
      const { body } = await stack.admin("GET", `${keys()}/${id}`);
      if (body.last_used_at !== null) {
        assert.ok(Math.abs(body.last_used_at - seconds()) < 60);
        return;
      }
      assert.ok(Date.now() < end, "the last use is recorded");
    }
  });
});

describe("attack 9: a key that was valid a moment ago", () => {
  test("is_rejected_at_the_next_request_on_both_warm_gateways_after_its_revocation", async () => {
    const { id, key } = await createKey();
    assert.deepEqual(await statuses(key), [200, 200]);
    const revoked = await stack.admin("POST", `${keys()}/${id}/revoke`);
    assert.equal(revoked.status, 200);
    assert.ok(revoked.body.revoked_at >= seconds() - 5);
    assert.deepEqual(await statuses(key), [401, 401]);
    const again = await stack.admin("POST", `${keys()}/${id}/revoke`);
    assert.deepEqual([again.status, again.body.revoked_at], [200, revoked.body.revoked_at], "revocation is idempotent");
    const lines = await stack.rows("SELECT 1 FROM audit_log WHERE target = ?1 AND action = 'key.revoke'", id);
    assert.equal(lines.length, 1, "it is recorded once");
  });

  test("works_during_the_grace_period_and_is_rejected_after_it", async () => {
    const old = await createKey({ scopes: ["chat", "tools"] });
    assert.deepEqual(await statuses(old.key), [200, 200], "both gateways cache the key without an expiry");
    const { status, body: next } = await stack.admin("POST", `${keys()}/${old.id}/rotate`, { grace_seconds: 3 });
    assert.equal(status, 201);
    assert.equal(next.in_force, true);
    assert.deepEqual([next.name, next.scopes, next.replaces.id, next.replaces.successor_id], [old.name, old.scopes, old.id, next.id]);
    assert.deepEqual(await statuses(old.key), [200, 200]);
    assert.deepEqual(await statuses(next.key), [200, 200]);
    await sleep(3100);
    assert.deepEqual(await statuses(old.key), [401, 401]);
    assert.deepEqual(await statuses(next.key), [200, 200]);
  });

  test("is_rejected_at_once_if_the_grace_period_is_zero", async () => {
    const old = await createKey();
    assert.deepEqual(await statuses(old.key), [200, 200]);
    const { body: next } = await stack.admin("POST", `${keys()}/${old.id}/rotate`, { grace_seconds: 0 });
    assert.deepEqual(await statuses(old.key), [401, 401]);
    assert.deepEqual(await statuses(next.key), [200, 200]);
  });

  test("is_rejected_at_its_expiry_on_both_gateways", async () => {
    const { key, expires_at } = await createKey({ expires_at: seconds() + 3 });
    assert.deepEqual(await statuses(key), [200, 200]);
    await sleep(expires_at * 1000 - Date.now() + 20);
    assert.deepEqual(await statuses(key), [401, 401]);
  });
});

describe("POST rotate and revoke", () => {
  test("400_names_the_invalid_parameter_and_a_key_cannot_get_wider_scopes", async () => {
    const { id } = await createKey();
    const cases = [
      [{ scopes: ["chat", "tools"] }, "unknown_parameter", "scopes"],
      [{ grace_seconds: -1 }, "invalid_type", "grace_seconds"],
      [{ grace_seconds: 90 * 86_400 + 1 }, "invalid_value", "grace_seconds"],
      [{ expires_at: 1 }, "invalid_value", "expires_at"],
    ];
    for (const [body, code, param] of cases) await expectRejected(400, { code, param }, "POST", `${keys()}/${id}/rotate`, body);
    await expectRejected(400, { code: "unknown_parameter", param: "reason" }, "POST", `${keys()}/${id}/revoke`, { reason: "x" });
  });

  test("404_for_a_key_of_another_tenant", async () => {
    const { id, key } = await createKey();
    await stack.rows("UPDATE tenants SET status = 'active' WHERE id = ?1", stack.tenants[1].tenant_id);
    for (const verb of ["rotate", "revoke"]) {
      await expectRejected(404, { code: "resource_not_found" }, "POST", `${keys(stack.tenants[1].tenant_id)}/${id}/${verb}`, {});
    }
    await complete(stack, {}, { key });
  });

  test("409_for_a_key_that_was_rotated_or_revoked_before", async () => {
    const rotated = await createKey();
    const first = await stack.admin("POST", `${keys()}/${rotated.id}/rotate`, {});
    const error = await expectRejected(409, { code: "conflict" }, "POST", `${keys()}/${rotated.id}/rotate`, {});
    assert.ok(error.message.includes(first.body.id), "the error names the successor");
    const revoked = await createKey();
    await stack.admin("POST", `${keys()}/${revoked.id}/revoke`);
    await expectRejected(409, { code: "conflict" }, "POST", `${keys()}/${revoked.id}/rotate`, {});
  });

  test("of_two_concurrent_rotations_one_succeeds", async () => {
    const { id } = await createKey();
    const both = await Promise.all(stack.urls.map((url) => stack.admin("POST", `${keys()}/${id}/rotate`, {}, { url })));
    assert.deepEqual(both.map(({ status }) => status).sort(), [201, 409]);
    assert.equal((await stack.rows("SELECT 1 FROM audit_log WHERE target = ?1 AND action = 'key.rotate'", id)).length, 1);
  });
});

test("every_change_is_in_the_audit_log_with_actor_action_before_and_after", async () => {
  const { id } = await createKey({ name: "audited" });
  const { headers } = await stack.admin("POST", `${keys()}/${id}/revoke`);
  const { body } = await stack.admin("GET", `/audit?tenant_id=${tenant}&limit=2`);
  const [revoke, minted] = body.data;
  const [{ id: operator }] = await stack.rows("SELECT id FROM admin_tokens ORDER BY created_at LIMIT 1");
  assert.deepEqual([minted.action, minted.target, minted.before, minted.after.name, minted.actor], ["key.mint", id, null, "audited", operator]);
  assert.deepEqual([revoke.action, revoke.before.revoked_at], ["key.revoke", null]);
  assert.ok(revoke.after.revoked_at > 0 && revoke.at >= minted.at);
  assert.match(revoke.request_id, /^req_/);
  assert.match(headers.get("x-request-id"), /^req_/);
});
