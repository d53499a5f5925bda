// Operators read, export and erase a tenant's conversations. Each action is recorded in the audit log.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { complete } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack({ gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const UNKNOWN_TENANT = "/tenants/ten_01ARZ3NDEKTSV4RRFFQ69G5FAV";

/** Creates a tenant with two sessions and one stateless call; `booked` waits for its receipts. */
async function createTenantWithHistory(canary, { booked = false } = {}) {
  const { body: tenant } = await stack.admin("POST", "/tenants", { name: canary, tier: "pro", system_prompt: `prompt of ${canary}` });
  const path = `/tenants/${tenant.id}`;
  const { body: key } = await stack.admin("POST", `${path}/keys`, { name: canary, scopes: ["chat", "sessions:read", "sessions:write"] });
  const sendMessage = (content, headers) => complete(stack, { messages: [{ role: "user", content: `${canary} ${content}` }] }, { key: key.key, headers });
  for (const session of ["first", "second"]) for (const content of ["one", "two"]) await sendMessage(content, { "x-session-id": session });
  await sendMessage("stateless", { "idempotency-key": `of-${canary}` });
  if (booked) await stack.receipts(tenant.id, 5);
  return { tenant, path, key: key.key, keyId: key.id, sendMessage };
}

async function expectRejected(expected, { code, param }, ...request) {
  const response = await stack.admin(...request);
  assert.equal(response.status, expected, JSON.stringify(response.body));
  assert.equal(response.body.error.code, code);
  if (param !== undefined) assert.equal(response.body.error.param, param);
}

/** Every page of a list. */
async function all(path, parameters = "") {
  const data = [];
  for (let cursor = ""; cursor !== undefined; ) {
    const { status, body } = await stack.admin("GET", `${path}?${parameters}${cursor}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(Object.keys(body), ["object", "data", "has_more", "next_cursor"]);
    data.push(...body.data);
    cursor = body.has_more ? `&cursor=${encodeURIComponent(body.next_cursor)}` : undefined;
  }
  return data;
}

/** The newest audit log entries of a tenant: `[action, target]`. */
async function auditLines(tenant, count) {
  const { body } = await stack.admin("GET", `/audit?tenant_id=${tenant.id}&limit=${count}`);
  assert.ok(body.data.every(({ actor, request_id: id }) => actor.startsWith("adm_") && id.startsWith("req_")));
  return body.data.map(({ action, target }) => [action, target]);
}

describe("GET /admin/tenants/{id}/sessions", () => {
  test("200_lists_newest_first_page_by_page_and_records_each_read", async () => {
    const { tenant, path } = await createTenantWithHistory("listed");
    const sessions = await all(`${path}/sessions`, "limit=1");
    assert.deepEqual(sessions.map(({ object, id }) => [object, id]), [["session", "second"], ["session", "first"]]);
    assert.ok(sessions.every(({ token_total: tokens, metadata }) => tokens > 0 && Object.keys(metadata).length === 0));
    assert.deepEqual(await auditLines(tenant, 2), [["sessions.list", null], ["sessions.list", null]]);
  });

  test("200_returns_one_session_and_its_messages_unchanged", async () => {
    const { tenant, path } = await createTenantWithHistory("shown");
    const shown = await stack.admin("GET", `${path}/sessions/first`);
    assert.deepEqual([shown.status, shown.body.id], [200, "first"]);
    const messages = await all(`${path}/sessions/first/messages`, "limit=3");
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
    assert.deepEqual(messages[2].message, { role: "user", content: "shown two" });
    assert.deepEqual(messages.map(({ turn, position }) => [turn, position]), [[1, 0], [1, 1], [2, 0], [2, 1]]);
    assert.deepEqual(await auditLines(tenant, 3), [["session.read_messages", "first"], ["session.read_messages", "first"], ["session.read", "first"]]);
  });

  test("400_for_an_invalid_query_and_404_for_unknown_ids", async () => {
    const { path } = await createTenantWithHistory("absent");
    for (const list of [`${path}/sessions`, `${path}/sessions/first/messages`]) {
      for (const query of ["limit=0", "limit=101"]) await expectRejected(400, { code: "invalid_value", param: "limit" }, "GET", `${list}?${query}`);
      for (const cursor of ["x", "{}", "["]) await expectRejected(400, { code: "invalid_value", param: "cursor" }, "GET", `${list}?cursor=${encodeURIComponent(cursor)}`);
      await expectRejected(400, { code: "unknown_parameter", param: "order" }, "GET", `${list}?order=desc`);
    }
    for (const of of ["/sessions", "/sessions/first", "/sessions/first/messages", "/export"]) await expectRejected(404, { code: "resource_not_found" }, "GET", `${UNKNOWN_TENANT}${of}`);
    for (const id of ["third", "%0A", "..%2Ffirst"]) {
      await expectRejected(404, { code: "resource_not_found" }, "GET", `${path}/sessions/${id}`);
      await expectRejected(404, { code: "resource_not_found" }, "GET", `${path}/sessions/${id}/messages`);
    }
  });

  test("attack 14: a_session_of_another_tenant_is_not_found", async () => {
    const [one, other] = [await createTenantWithHistory("own"), await createTenantWithHistory("foreign")];
    await other.sendMessage("only here", { "x-session-id": "of-the-other" });
    await expectRejected(404, { code: "resource_not_found" }, "GET", `${one.path}/sessions/of-the-other`);
    await expectRejected(404, { code: "resource_not_found" }, "GET", `${one.path}/sessions/of-the-other/messages`);
    assert.ok(!JSON.stringify(await all(`${one.path}/sessions/first/messages`)).includes("foreign"));
  });
});

describe("GET /admin/tenants/{id}/export", () => {
  test("attack 25: 200_holds_all_stored_data_of_the_tenant_and_no_canary_of_another", async () => {
    const [one, other] = [await createTenantWithHistory("canary-of-one", { booked: true }), await createTenantWithHistory("canary-of-other")];
    const rows = await all(`${one.path}/export`);
    const count = (object) => rows.filter((row) => row.object === object).length;
    assert.deepEqual(
      Object.fromEntries(["tenant", "api_key", "session", "turn", "session.message", "kept_answer", "receipt"].map((object) => [object, count(object)])),
      { tenant: 1, api_key: 1, session: 2, turn: 4, "session.message": 8, kept_answer: 1, receipt: 5 },
    );
    assert.deepEqual([...new Set(rows.map(({ object }) => object))], ["tenant", "api_key", "session", "turn", "session.message", "kept_answer", "receipt", "audit_entry"]);
    const text = JSON.stringify(rows);
    assert.ok(text.includes("canary-of-one two") && text.includes("prompt of canary-of-one"));
    for (const foreign of ["canary-of-other", other.tenant.id, other.keyId]) assert.ok(!text.includes(foreign), foreign);
    const secrets = [one.key.slice(6), ...(await stack.rows("SELECT digest FROM api_keys")).map(({ digest }) => digest)];
    for (const secret of secrets) assert.ok(!text.includes(secret), "a key or its digest");
    assert.deepEqual(await auditLines(one.tenant, 1), [["tenant.export", one.tenant.id]]);
    assert.ok(!(await auditLines(other.tenant, 100)).some(([action]) => action === "tenant.export"));
  });

  test("attack 25: the_audit_log_of_one_tenant_holds_no_canary_of_another", async () => {
    const [one, other] = [await createTenantWithHistory("audit-canary-of-one"), await createTenantWithHistory("audit-canary-of-other")];
    await stack.admin("PATCH", other.path, { system_prompt: "audit-canary-of-other again" });
    await all(`${other.path}/sessions`);
    const lines = await all("/audit", `tenant_id=${one.tenant.id}&limit=1`);
    assert.deepEqual(lines.map(({ action }) => action), ["key.mint", "tenant.create"]);
    assert.ok(JSON.stringify(lines).includes("prompt of audit-canary-of-one"));
    for (const foreign of ["audit-canary-of-other", other.tenant.id, other.keyId]) assert.ok(!JSON.stringify(lines).includes(foreign), foreign);
  });

  test("200_continues_from_a_cursor_with_the_memory_of_one_page", async () => {
    const { tenant, path } = await createTenantWithHistory("long");
    const long = JSON.stringify({ role: "user", content: "x".repeat(900_000) });
    await stack.rows("INSERT INTO sessions (tenant_id, id, head, created_at, updated_at) VALUES (?1, 'long', 40, 1, 1)", tenant.id);
    await stack.rows(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
       INSERT INTO turns (tenant_id, session_id, seq, request_id, status, model, provider, provenance, created_at)
       SELECT ?1, 'long', i, printf('req_01ARZ3NDEKTSV4RRFFQ6%06d', i), 'complete', 'm', 'p', 'provider', 1 FROM n`,
      tenant.id,
    );
    await stack.rows(`INSERT INTO messages (tenant_id, session_id, seq, position, id, role, content) SELECT tenant_id, session_id, seq, 0, printf('msg_01ARZ3NDEKTSV4RRFFQ6%06d', seq), 'user', ?2 FROM turns WHERE tenant_id = ?1 AND session_id = 'long'`, tenant.id, long);
    let pages = 0;
    const seen = [];
    for (let cursor = ""; cursor !== undefined; pages += 1) {
      const { body } = await stack.admin("GET", `${path}/export${cursor}`);
      seen.push(...body.data.filter((row) => row.session_id === "long" && row.object === "session.message").map(({ turn }) => turn));
      cursor = body.has_more ? `?cursor=${encodeURIComponent(body.next_cursor)}` : undefined;
    }
    assert.deepEqual(seen, Array.from({ length: 40 }, (_, index) => index + 1));
    assert.ok(pages >= 4, `${pages} pages for 36 MB`);
    const listed = await stack.admin("GET", `${path}/sessions/long/messages?limit=100`);
    assert.ok(listed.body.has_more && listed.body.data.length < 20, "pages of long messages are short");
    await stack.admin("DELETE", path);
  });

  test("400_for_an_invalid_cursor", async () => {
    const { path } = await createTenantWithHistory("placeless");
    for (const cursor of ["", "x", "messages:x", "nothing:1"]) await expectRejected(400, { code: "invalid_value", param: "cursor" }, "GET", `${path}/export?cursor=${cursor}`);
    await expectRejected(400, { code: "unknown_parameter", param: "limit" }, "GET", `${path}/export?limit=5`);
  });
});

describe("POST /admin/tenants/{id}/erase", () => {
  /** Erases until done; returns the responses. */
  async function erase(path) {
    const responses = [];
    for (let cursor = ""; ; cursor = `?cursor=${encodeURIComponent(responses.at(-1).body.next_cursor)}`) {
      responses.push(await stack.admin("POST", `${path}/erase${cursor}`));
      assert.ok([200, 202].includes(responses.at(-1).status), JSON.stringify(responses.at(-1).body));
      if (responses.at(-1).status === 200) return responses;
    }
  }

  test("200_erases_conversations_and_keeps_the_tenants_keys_and_receipts", async () => {
    const { tenant, path, sendMessage } = await createTenantWithHistory("forgotten", { booked: true });
    const other = await createTenantWithHistory("remembered");
    const copies = async (id) => (await stack.cacheKeys()).filter((name) => name.includes(id)).length;
    await until(async () => (await copies(tenant.id)) > 0 && (await copies(other.tenant.id)) > 0, "cached copies");
    const responses = await erase(path);
    assert.deepEqual(responses.map(({ body }) => body.erased), [false, true]);
    assert.equal(await copies(tenant.id), 0, "no cached copy remains");
    assert.ok((await copies(other.tenant.id)) > 0);
    const text = JSON.stringify(await all(`${path}/export`));
    for (const word of ["forgotten one", "forgotten two", "forgotten stateless"]) assert.ok(!text.includes(word), word);
    const rows = await all(`${path}/export`);
    assert.deepEqual(["turn", "session.message", "kept_answer", "api_key", "receipt"].map((object) => rows.filter((row) => row.object === object).length), [0, 0, 0, 1, 5]);
    assert.deepEqual(await all(`${path}/sessions`), []);
    assert.equal((await all(`${other.path}/sessions`)).length, 2, "no other tenant is affected");
    // The ledger and the caches of all gateways are cleared too: the provider receives no old message.
    await sendMessage("after", { "x-session-id": "first" });
    const received = stack.upstream.requests.at(-1).body.messages;
    assert.deepEqual(received.map(({ content }) => content), ["prompt of forgotten", "forgotten after"]);
    assert.ok((await auditLines(tenant, 10)).some(([action, target]) => action === "tenant.erase" && target === tenant.id));
  });

  test("202_until_all_sessions_are_deleted", async () => {
    const { tenant, path } = await createTenantWithHistory("many");
    await stack.rows("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO sessions (tenant_id, id, created_at, updated_at) SELECT ?1, 's' || i, 1, 1 FROM n", tenant.id);
    assert.ok((await erase(path)).length > 3);
    assert.deepEqual(await all(`${path}/sessions`), []);
  });

  test("400_404_and_409", async () => {
    const { tenant, path } = await createTenantWithHistory("refused");
    await expectRejected(400, { code: "unknown_parameter", param: "all" }, "POST", `${path}/erase`, { all: true });
    await expectRejected(400, { code: "unknown_parameter", param: "limit" }, "POST", `${path}/erase?limit=5`);
    await expectRejected(400, { code: "invalid_value", param: "cursor" }, "POST", `${path}/erase?cursor=%20`);
    await expectRejected(404, { code: "resource_not_found" }, "POST", `${UNKNOWN_TENANT}/erase`);
    assert.equal((await all(`${path}/sessions`)).length, 2, "nothing was erased");
    await stack.rows("UPDATE tenants SET status = 'deleting' WHERE id = ?1", tenant.id);
    await expectRejected(409, { code: "conflict" }, "POST", `${path}/erase`);
  });
});

test("attack 29: a_duplicate_member_is_rejected_in_a_patch_too", async () => {
  const { path } = await createTenantWithHistory("twice");
  for (const [method, body, param] of [
    ["PATCH", '{"name":"a","name":"b"}', "name"],
    ["PATCH", '{"limits":{"burst":1,"burst":null}}', "limits.burst"],
    ["PATCH", '{"quotas":{"tokens_per_month":1,"tokens_per_\\u006donth":2}}', "quotas.tokens_per_month"],
    ["PUT", '{"name":"a","limits":{"burst":1,"burst":2}}', "limits.burst"],
  ]) {
    await expectRejected(400, { code: "invalid_type", param }, method, path, body);
  }
  assert.equal((await stack.admin("GET", path)).body.version, 1);
});
