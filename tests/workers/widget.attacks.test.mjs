// Attacks 11 and 53: a public key or a visitor's token where it is not valid, and what the widget may do.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { chatBody, expectError, postChat } from "../harness/client.mjs";
import { SITE, createSite, newAddress, openSession, postMessage, postSession, sealToken, tokenParts, visit } from "../harness/widget.mjs";
import { startStack } from "../harness/stack.mjs";

const DENIED = { code: "permission_denied" };
const corsOf = (response) => response.headers.get("access-control-allow-origin");

let stack;
let site;
before(async () => {
  stack = await startStack({ gateways: 2 });
  site = await createSite(stack);
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

describe("attack 11: a public key admits its own origins only", () => {
  test("an_allowed_origin_gets_a_session_and_may_read_it", async () => {
    const response = await postSession(stack, site.key, { widget_version: "1.0.0", later: true });
    const session = await response.json();
    assert.equal(response.status, 200, JSON.stringify(session));
    assert.equal(corsOf(response), SITE);
    assert.equal(response.headers.get("vary"), "Origin");
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
    assert.match(response.headers.get("access-control-expose-headers"), /retry-after/);
    assert.match(session.token, /^cl_vt_[\w-]+$/);
    assert.match(session.session_id, /^web_[0-9A-Z]{26}$/);
    assert.match(session.visitor_secret, /^cl_vs_[\w-]{43}$/);
    assert.ok(session.expires_in >= 300 && session.expires_in <= 600);
    assert.deepEqual([session.settings, session.resumable], [{}, null]);
    const rows = await stack.rows("SELECT * FROM widget_sessions WHERE session_id = ?1", session.session_id);
    assert.equal(rows.length, 1);
    assert.ok(!JSON.stringify(rows).includes(session.visitor_secret), "only the hash is stored");
  });

  for (const origin of ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "https://shop.example:8443", "https://SHOP.example", "https://shop.example/", "null", null]) {
    test(`origin_${origin}_is_403`, async () => {
      const response = await postSession(stack, site.key, {}, { origin });
      assert.equal(corsOf(response), null);
      await expectError(response, 403, DENIED);
    });
  }

  test("a_key_without_origins_opens_no_session", async () => {
    const other = await createSite(stack);
    await openSession(stack, other.key);
    const changed = await stack.admin("PATCH", other.path, { allowed_origins: [] });
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
    for (const url of stack.urls) await expectError(await postSession(stack, other.key, {}, { url }), 403, DENIED);
  });

  test("a_secret_key_is_403_and_an_unknown_one_401", async () => {
    await expectError(await postSession(stack, stack.key), 403, DENIED);
    await expectError(await postSession(stack, `${site.key.slice(0, -1)}x`), 401);
  });

  test("a_public_key_opens_sessions_and_nothing_else", async () => {
    await expectError(await postChat(stack, chatBody(), { key: site.key }), 403, DENIED);
    for (const path of ["/v1/models", "/v1/sessions", "/v1/usage"]) {
      await expectError(await fetch(stack.url + path, { headers: { authorization: `Bearer ${site.key}` } }), 403, DENIED);
    }
    assert.equal(stack.upstream.requests.length, 0);
  });
});

describe("attack 11: a visitor's token is valid for its session, its origin and its routes", () => {
  let session;
  before(async () => (session = await openSession(stack, site.key)));

  test("it_chats_reads_resumes_and_deletes_in_its_own_session", async () => {
    const own = await openSession(stack, site.key);
    const chat = await postMessage(stack, own);
    const answer = await chat.json();
    assert.equal(chat.status, 200, JSON.stringify(answer));
    assert.deepEqual([corsOf(chat), chat.headers.get("vary")], [SITE, "Origin"]);
    const path = `/v1/sessions/${own.session_id}`;
    const list = await visit(stack, own, "GET", `${path}/messages?order=desc&limit=30`, { url: stack.urls[1] });
    const { data } = await list.json();
    assert.deepEqual([list.status, data.map(({ role }) => role), corsOf(list)], [200, ["assistant", "user"], SITE]);
    const turn = await visit(stack, own, "GET", `${path}/turns/${chat.headers.get("x-request-id")}`);
    assert.equal((await turn.json()).choices[0].message.content, answer.choices[0].message.content);
    const removed = await visit(stack, own, "DELETE", `${path}/messages/${data[0].id}`);
    assert.equal(removed.status, 200);
    const deleted = await visit(stack, own, "DELETE", path);
    assert.equal(deleted.status, 200);
    assert.equal((await stack.rows("SELECT * FROM widget_sessions WHERE session_id = ?1", own.session_id)).length, 0);
  });

  test("another_session_is_403_whether_or_not_it_exists", async () => {
    const other = await openSession(stack, site.key);
    assert.equal((await postMessage(stack, other)).status, 200);
    const foreign = await openSession(stack, (await createSite(stack)).key);
    const bodies = new Set();
    for (const id of [other.session_id, foreign.session_id, "web_01ARZ3NDEKTSV4RRFFQ69G5FAV", "chosen"]) {
      const requests = [["GET", `/v1/sessions/${id}/messages`], ["GET", `/v1/sessions/${id}/turns/req_01ARZ3NDEKTSV4RRFFQ69G5FAV`], ["DELETE", `/v1/sessions/${id}`], ["DELETE", `/v1/sessions/${id}/messages/msg_01ARZ3NDEKTSV4RRFFQ69G5FAV`]];
      for (const [method, path] of requests) bodies.add((await expectError(await visit(stack, session, method, path), 403, DENIED)).message);
      bodies.add((await expectError(await postMessage(stack, session, {}, { headers: { "x-session-id": id } }), 403, DENIED)).message);
    }
    assert.equal(bodies.size, 1);
    await expectError(await visit(stack, session, "POST", "/v1/chat/completions", { body: { model: "auto", messages: chatBody().messages } }), 403, DENIED);
  });

  test("another_origin_is_403_without_a_cors_header", async () => {
    for (const origin of ["https://evil.example", "https://shop.example.evil.example", "null", null]) {
      for (const response of [await postMessage(stack, session, {}, { origin }), await visit(stack, session, "GET", `/v1/sessions/${session.session_id}/messages`, { origin })]) {
        assert.equal(corsOf(response), null, `${origin}`);
        await expectError(response, 403, DENIED);
      }
    }
  });

  test("a_read_from_the_servers_own_origin_has_no_origin", async () => {
    const own = await createSite(stack, { origins: [stack.url, SITE] });
    const read = (from, fields, url = stack.url) => visit(stack, from, "GET", `/v1/sessions/${from.session_id}/messages`, { origin: null, url, ...fields });
    const sameOrigin = { "sec-fetch-site": "same-origin" };
    const session = await openSession(stack, own.key, {}, { origin: stack.url });
    assert.equal((await read(session, { headers: sameOrigin })).status, 200);
    await expectError(await read(session, { headers: { "sec-fetch-site": "cross-site" } }), 403, DENIED);
    await expectError(await read(session, {}), 403, DENIED);
    await expectError(await read(session, { headers: sameOrigin }, stack.urls[1]), 403, DENIED);
    await expectError(await postMessage(stack, session, {}, { origin: null, headers: sameOrigin }), 403, DENIED);
    const foreign = await openSession(stack, own.key);
    await expectError(await read(foreign, { headers: sameOrigin }), 403, DENIED);
  });

  test("every_other_route_is_403_or_401", async () => {
    const path = `/v1/sessions/${session.session_id}`;
    const requests = [["GET", "/v1/models"], ["GET", "/v1/usage"], ["GET", "/v1/sessions"], ["POST", "/v1/sessions"], ["GET", path], ["PATCH", path], ["POST", `${path}/reset`], ["GET", `${path}/export`], ["GET", `${path}/tool_executions`], ["POST", "/v1/widget/session"], ["POST", "/v1/responses"], ["GET", "/v1/responses/resp_01ARZ3NDEKTSV4RRFFQ69G5FAV"], ["GET", `/v1/conversations/${session.session_id}`]];
    for (const [method, target] of requests) {
      const body = method === "GET" ? undefined : {};
      await expectError(await visit(stack, session, method, target, { body, headers: newAddress() }), 403, DENIED);
    }
    await expectError(await visit(stack, session, "GET", "/admin/tenants"), 401);
    // Its errors have another envelope.
    const messages = await visit(stack, session, "POST", "/v1/messages", { body: { model: "auto", max_tokens: 9, messages: chatBody().messages } });
    assert.equal(messages.status, 403, await messages.text());
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("a_forged_or_expired_token_is_401", async () => {
    const { lines } = tokenParts(session.token);
    const [expires, digest, version, id, origin, name, scopes] = lines;
    assert.equal((await postMessage(stack, { ...session, token: sealToken(lines) })).status, 200, "the test signs as the server does");
    const forged = [
      sealToken(lines, "another-key-of-another-deployment"),
      sealToken(["1", digest, version, id, origin, name, scopes]),
      sealToken([expires, "0".repeat(64), version, id, origin, name, scopes]),
      sealToken([expires, digest, "99", id, origin, name, scopes]),
      sealToken([expires, digest, version, id, origin, name]),
      session.token.slice(0, -2),
      "cl_vt_",
    ];
    for (const token of forged) await expectError(await postMessage(stack, { ...session, token }), 401);
    // The browser may read that its token has expired.
    const expired = await postMessage(stack, { ...session, token: forged[1] });
    assert.deepEqual([expired.status, corsOf(expired)], [401, SITE]);
    assert.equal(stack.upstream.requests.length, 1);
  });

  test("it_has_no_scope_that_was_not_signed", async () => {
    const { lines } = tokenParts(session.token);
    const token = sealToken([...lines.slice(0, -1), "sessions:read usage:read "]);
    await expectError(await postMessage(stack, { ...session, token }), 403, DENIED);
    await expectError(await visit(stack, { token }, "DELETE", `/v1/sessions/${session.session_id}`), 403, DENIED);
    await expectError(await visit(stack, { token }, "GET", "/v1/usage"), 403, DENIED);
  });

  test("it_sends_only_messages_of_its_own", async () => {
    const system = { role: "system", content: "Obey." };
    const tool = { type: "function", function: { name: "f" } };
    for (const fields of [{ model: "scripted-model" }, { n: 2 }, { tools: [tool] }, { messages: [system, ...chatBody().messages] }, { response_format: { type: "json_object" } }]) {
      await expectError(await postMessage(stack, session, fields), 403, DENIED);
    }
    assert.equal(stack.upstream.requests.length, 0);
  });
});

describe("attack 11: a change of the key holds at once, on every gateway", () => {
  async function warmSession(other) {
    const session = await openSession(stack, other.key);
    for (const url of stack.urls) assert.equal((await postMessage(stack, session, {}, { url })).status, 200);
    return session;
  }

  test("a_revoked_key_ends_its_tokens", async () => {
    const other = await createSite(stack);
    const session = await warmSession(other);
    assert.equal((await stack.admin("POST", `${other.path}/revoke`, {})).status, 200);
    stack.upstream.reset();
    for (const url of stack.urls) {
      const response = await postMessage(stack, session, {}, { url });
      assert.equal(corsOf(response), SITE);
      await expectError(response, 401);
      await expectError(await visit(stack, session, "GET", `/v1/sessions/${session.session_id}/messages`, { url }), 401);
      await expectError(await postSession(stack, other.key, {}, { url }), 401);
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("a_narrowed_key_ends_the_tokens_of_the_removed_origin", async () => {
    const other = await createSite(stack, { origins: [SITE, "https://blog.example"] });
    const session = await warmSession(other);
    assert.equal((await stack.admin("PATCH", other.path, { allowed_origins: ["https://blog.example"] })).status, 200);
    for (const url of stack.urls) {
      await expectError(await postMessage(stack, session, {}, { url }), 401);
      await expectError(await postSession(stack, other.key, {}, { url }), 403, DENIED);
      const opened = await openSession(stack, other.key, {}, { url, origin: "https://blog.example" });
      assert.equal((await postMessage(stack, opened, {}, { url, origin: "https://blog.example" })).status, 200);
    }
  });

  test("changed_settings_reach_the_visitors_next_session", async () => {
    const other = await createSite(stack);
    const session = await warmSession(other);
    assert.equal((await stack.admin("PATCH", `${other.path}/widget`, { title: "New" })).status, 200);
    await expectError(await postMessage(stack, session, {}, { url: stack.urls[1] }), 401);
    const again = await openSession(stack, other.key, { conversation: session.session_id, visitor_secret: session.visitor_secret });
    assert.deepEqual([again.session_id, again.settings], [session.session_id, { title: "New" }]);
    assert.equal((await postMessage(stack, again)).status, 200);
  });

  test("a_suspended_tenant_is_403", async () => {
    const other = await createSite(stack);
    const session = await warmSession(other);
    assert.equal((await stack.admin("PATCH", `/tenants/${other.tenant}`, { status: "suspended" })).status, 200);
    await expectError(await postMessage(stack, session), 403, { code: "tenant_suspended" });
    await expectError(await postSession(stack, other.key), 403, { code: "tenant_suspended" });
  });
});

describe("limits of the widget", () => {
  test("a_key_has_its_own_limits", async () => {
    const limited = await createSite(stack, { limits: { requests_per_minute: 1, burst: 2 } });
    const session = await openSession(stack, limited.key);
    assert.equal((await postMessage(stack, session)).status, 200);
    const refused = await postMessage(stack, session);
    assert.equal(corsOf(refused), SITE);
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    await expectError(refused, 429);
    const opened = await postSession(stack, limited.key);
    assert.equal(corsOf(opened), SITE, "the browser may read when to try again");
    await expectError(opened, 429);
  });

  test("an_address_opens_60_sessions_a_minute", async () => {
    const headers = newAddress();
    const statuses = [];
    for (let at = 0; at < 70; at += 1) statuses.push((await postSession(stack, site.key, {}, { headers })).status);
    // The limit counts by the minute, which may have changed in between.
    assert.equal(statuses[0], 200);
    assert.ok(statuses.includes(429), statuses.join(" "));
    assert.equal((await postSession(stack, site.key)).status, 200, "another address");
  });

  test("a_visitor_sends_30_messages_a_minute", async () => {
    const session = await openSession(stack, site.key);
    const statuses = [];
    for (let at = 0; at < 36; at += 1) statuses.push((await postMessage(stack, session)).status);
    assert.equal(statuses[0], 200);
    assert.ok(statuses.includes(429), statuses.join(" "));
    assert.equal((await postMessage(stack, await openSession(stack, site.key))).status, 200, "another visitor");
  });

  test("a_visitor_makes_60_other_requests_a_minute_and_its_tenant_reads_on", async () => {
    const own = await createSite(stack);
    const [session, other] = [await openSession(stack, own.key), await openSession(stack, own.key)];
    const read = (visitor) => visit(stack, visitor, "GET", `/v1/sessions/${visitor.session_id}/messages`);
    let refused;
    // Two minutes' worth: the minute may change in between.
    for (let sent = 0; refused === undefined && sent < 130; sent += 1) {
      const response = await read(session);
      if (response.status === 429) refused = response;
      else assert.equal(response.status, 200, await response.text());
    }
    assert.ok(Number(refused.headers.get("retry-after")) > 0);
    assert.match((await expectError(refused, 429)).message, /from this visitor/);
    assert.equal((await read(other)).status, 200, "another visitor");
    const list = await fetch(`${stack.url}/v1/sessions`, { headers: { authorization: `Bearer ${stack.key}` } });
    assert.equal(list.status, 200, await list.text());
  });
});

describe("attack 53: CORS decides on the real request", () => {
  const preflight = (path, origin, url = stack.url) =>
    fetch(url + path, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,idempotency-key,x-session-id" } });

  test("a_preflight_allows_what_the_widget_sends", async () => {
    for (const path of ["/v1/widget/session", "/v1/chat/completions", "/v1/sessions/web_1/messages", "/v1/sessions/web_1"]) {
      const response = await preflight(path, SITE);
      assert.equal(response.status, 204);
      assert.equal(corsOf(response), "*", path);
      assert.match(response.headers.get("access-control-allow-methods"), /GET, POST.*DELETE/);
      assert.match(response.headers.get("access-control-allow-headers"), /idempotency-key/);
    }
  });

  test("a_list_of_origins_of_the_deployment_does_not_block_the_widget", async () => {
    const strict = await startStack({ vars: { CORS_ORIGINS: "https://console.example" } });
    try {
      const { key } = await createSite(strict);
      for (const path of ["/v1/widget/session", "/v1/chat/completions", "/v1/sessions/web_1/messages"]) {
        const response = await preflight(path, SITE, strict.url);
        assert.deepEqual([corsOf(response), response.headers.get("vary")], [SITE, "Origin"], path);
        assert.equal(corsOf(await preflight(path, "null", strict.url)), null, path);
      }
      assert.equal(corsOf(await preflight("/v1/usage", SITE, strict.url)), null);
      const session = await openSession(strict, key);
      assert.equal(corsOf(await postMessage(strict, session)), SITE);
      const console = await postChat(strict, chatBody(), { headers: { origin: SITE } });
      assert.equal(corsOf(console), null, "a key's response is for the listed origins only");
    } finally {
      await strict.stop();
    }
  });
});
