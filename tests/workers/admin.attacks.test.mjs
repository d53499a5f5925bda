// Attacks 8 and 10, and authentication of the admin API.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chatBody, expectError } from "../harness/client.mjs";
import { unknownKey, withBadChecksum } from "../harness/keys.mjs";
import { exchange } from "../harness/raw-http.mjs";
import { BOOTSTRAP_TOKEN, startStack } from "../harness/stack.mjs";

let stack;
let tenant;
before(async () => {
  stack = await startStack();
  tenant = stack.tenants[0].tenant_id;
});
after(() => stack.stop());

let nextAddress = 1;
/** A new client address, because limits apply per address. */
const newAddress = () => ({ "cf-connecting-ip": `192.0.2.${nextAddress++}` });

const MINT = { name: "wider", scopes: ["chat", "tools"] };

async function publicKey() {
  const fields = { name: "page", kind: "public", allowed_origins: ["https://example.org"] };
  return (await stack.admin("POST", `/tenants/${tenant}/keys`, fields, { headers: newAddress() })).body.key;
}

test("attack 8: a_key_cannot_mint_a_wider_one_403", async () => {
  const before = await stack.rowCounts();
  for (const path of [`/tenants/${tenant}/keys`, "/tokens"]) {
    const response = await stack.admin("POST", path, MINT, { token: stack.key, headers: newAddress() });
    assert.deepEqual([response.status, response.body.error.code], [403, "permission_denied"]);
  }
  assert.deepEqual(await stack.rowCounts(), before);
});

describe("attack 10: keys and tokens where they do not belong", () => {
  test("a_public_key_on_admin_routes_is_401", async () => {
    const token = await publicKey();
    for (const path of [`/tenants/${tenant}/keys`, "/audit", "/nothing"]) {
      assert.equal((await stack.admin("GET", path, undefined, { token, headers: newAddress() })).status, 401, path);
    }
  });

  test("an_admin_token_on_public_routes_is_401", async () => {
    const routes = [
      ["GET", "/v1/models"],
      ["GET", "/v1/models/scripted-model"],
      ["POST", "/v1/chat/completions", chatBody()],
      ["GET", "/v1/sessions"],
      ["POST", "/v1/sessions", {}],
      ["GET", "/v1/sessions/one"],
      ["PATCH", "/v1/sessions/one", { title: "x" }],
      ["DELETE", "/v1/sessions/one"],
      ["POST", "/v1/sessions/one/reset"],
      ["GET", "/v1/sessions/one/export"],
      ["GET", "/v1/sessions/one/messages"],
      ["GET", "/v1/sessions/one/tool_executions"],
    ];
    for (const token of [stack.adminToken, BOOTSTRAP_TOKEN]) {
      for (const [method, path, body] of routes) {
        const headers = { ...newAddress(), authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) };
        await expectError(await fetch(`${stack.url}${path}`, { method, headers, body: body && JSON.stringify(body) }), 401, { code: "invalid_api_key" });
      }
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("paths_that_look_like_admin_routes_are_404_or_401", async () => {
    const sendRequest = (target, token, headers = "") =>
      exchange(stack.url, `GET ${target} HTTP/1.1\r\nhost: localhost\r\ncf-connecting-ip: ${newAddress()["cf-connecting-ip"]}\r\nauthorization: Bearer ${token}${headers}`, []);
    for (const target of ["//admin/audit", "/Admin/audit", "/admin", "/v1//admin/audit", "/%61dmin/audit", "/admin%2Faudit"]) {
      assert.equal((await sendRequest(target, stack.adminToken)).status, 404, target);
    }
    for (const target of ["/admin//audit", "/admin/audit/", "/admin/%61udit", "/admin/AUDIT"]) {
      assert.equal((await sendRequest(target, stack.adminToken)).status, 404, target);
      assert.equal((await sendRequest(target, stack.key)).status, 403, target);
    }
    // The runtime decodes `%2e%2e` to `..`; the resulting path is handled like any other.
    for (const target of ["/v1/%2e%2e/admin/audit", "/v1/../admin/audit", "/widget/%2E%2E/admin/audit"]) {
      assert.ok([401, 404].includes((await sendRequest(target, unknownKey("cl_at_"))).status), target);
      assert.ok([403, 404].includes((await sendRequest(target, stack.key)).status), target);
    }
    for (const name of ["x-original-url", "x-rewrite-url", "x-forwarded-path"]) {
      const { status, text } = await sendRequest("/v1/models", stack.key, `\r\n${name}: /admin/audit`);
      assert.equal(status, 200, text);
      assert.ok(!text.includes("audit"), name);
    }
  });
});

/** Sends requests until the status is 429: after at least `least` responses with `status`, at most twice as many. */
async function expectLimit(least, status, sendRequest) {
  for (let count = 0; count <= 2 * least; count += 1) {
    const got = await sendRequest(count);
    if (got === 429) return assert.ok(count >= least, `stopped after ${count}`);
    assert.equal(got, status);
  }
  return assert.fail("never stopped");
}

describe("authentication", () => {
  test("401_without_a_valid_token_always_with_the_same_message", async () => {
    const tokens = ["", "x", unknownKey("cl_at_"), withBadChecksum(stack.adminToken), `${BOOTSTRAP_TOKEN}x`, BOOTSTRAP_TOKEN.slice(0, -1), "' OR 1=1 --"];
    const bodies = [];
    for (const token of tokens) {
      const response = await stack.admin("GET", "/audit", undefined, { token: null, headers: { ...newAddress(), authorization: `Bearer ${token}` } });
      assert.equal(response.status, 401);
      bodies.push(JSON.stringify(response.body));
    }
    assert.equal(new Set(bodies).size, 1);
    const none = await stack.admin("GET", "/audit", undefined, { token: null, headers: newAddress() });
    assert.deepEqual([none.status, none.body.error.code], [401, "missing_api_key"]);
  });

  test("404_and_405_only_with_a_valid_token", async () => {
    const sendRequest = (method, path, token) => stack.admin(method, path, undefined, { token, headers: newAddress() });
    assert.equal((await sendRequest("GET", "/nothing", unknownKey("cl_at_"))).status, 401);
    assert.equal((await sendRequest("GET", "/nothing", stack.adminToken)).status, 404);
    const wrong = await sendRequest("DELETE", "/audit", stack.adminToken);
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
  });

  test("the_bootstrap_token_creates_tokens_and_a_revoked_one_is_rejected_at_the_next_request", async () => {
    const minted = await stack.admin("POST", "/tokens", { name: "on call", role: "owner" }, { token: BOOTSTRAP_TOKEN, headers: newAddress() });
    assert.equal(minted.status, 201);
    const { token, id } = minted.body;
    assert.match(token, /^cl_at_/);
    assert.equal((await stack.admin("GET", "/tokens", undefined, { token, headers: newAddress() })).status, 200);
    assert.equal((await stack.admin("POST", `/tokens/${id}/revoke`, {}, { headers: newAddress() })).status, 200);
    assert.equal((await stack.admin("GET", "/tokens", undefined, { token, headers: newAddress() })).status, 401);
    const { body } = await stack.admin("GET", "/audit?limit=2", undefined, { headers: newAddress() });
    assert.deepEqual(body.data.map(({ action, actor }) => [action, actor === "bootstrap"]), [["token.revoke", false], ["token.mint", true]]);
    assert.ok(!JSON.stringify([await stack.rows("SELECT * FROM admin_tokens"), stack.logs, body]).includes(token.slice(6)));
  });

  test("400_and_404_for_tokens", async () => {
    const sendRequest = (path, body) => stack.admin("POST", path, body, { headers: newAddress() });
    assert.equal((await sendRequest("/tokens", {})).body.error.param, "name");
    assert.equal((await sendRequest("/tokens", { name: "x", scopes: [] })).body.error.code, "unknown_parameter");
    assert.equal((await sendRequest("/tokens/adm_01ARZ3NDEKTSV4RRFFQ69G5FAV/revoke", {})).status, 404);
    assert.equal((await sendRequest("/tokens/x/revoke", {})).status, 404);
  });

  test("429_for_an_address_and_for_a_token_over_their_limits", async () => {
    const one = newAddress();
    const sendRequest = async (headers, token) => (await stack.admin("GET", "/nothing", undefined, { headers, token })).status;
    const wrong = unknownKey("cl_at_");
    // The limits apply per minute: a minute that starts during the test allows as many requests again.
    await expectLimit(300, 401, () => sendRequest(one, wrong));
    const stopped = await stack.admin("GET", "/nothing", undefined, { headers: one });
    assert.deepEqual([stopped.status, stopped.headers.get("retry-after")], [429, "60"]);
    const { token } = (await stack.admin("POST", "/tokens", { name: "busy", role: "operator" }, { headers: newAddress() })).body;
    const addresses = [newAddress(), newAddress(), newAddress()];
    await expectLimit(300, 404, (count) => sendRequest(addresses[count % 3], token));
    assert.equal(await sendRequest(newAddress(), stack.adminToken), 404, "another token is accepted");
  });
});
