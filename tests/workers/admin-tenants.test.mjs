// /admin/tenants by route and status, over two gateways: changes apply on both at the next request.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => {
  const models = [{ id: "scripted-model", context: 32768, max_output: 4096, roles: ["smart"] }];
  stack = await startStack({ gateways: 2, vars: (upstream) => ({ PROVIDERS: JSON.stringify([upstream.provider({ models })]) }) });
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const UNKNOWN_TENANT = "/tenants/ten_01ARZ3NDEKTSV4RRFFQ69G5FAV";

async function create(fields = {}) {
  const { status, body, headers } = await stack.admin("POST", "/tenants", { name: "A tenant", tier: "pro", ...fields });
  assert.equal(status, 201, JSON.stringify(body));
  assert.equal(headers.get("location"), `/admin/tenants/${body.id}`);
  const { body: key } = await stack.admin("POST", `/tenants/${body.id}/keys`, { name: "server", scopes: ["chat", "sessions:read", "sessions:write"] });
  return { tenant: body, path: `/tenants/${body.id}`, key: key.key, keyId: key.id };
}

/** The number of cached copies of a tenant's sessions. */
const copiesOf = async ({ tenant }) => (await stack.cacheKeys()).filter((name) => name.includes(tenant.id)).length;

async function expectRejected(expected, { code, param }, method, path, body, options) {
  const response = await stack.admin(method, path, body, options);
  assert.equal(response.status, expected, JSON.stringify(response.body));
  assert.equal(response.body.error.code, code, JSON.stringify(response.body));
  if (param !== undefined) assert.equal(response.body.error.param, param);
}

async function statuses(key, fields) {
  const statusAt = async (url) => {
    const response = await postChat(stack, chatBody(fields), { key, url });
    await response.arrayBuffer();
    return response.status;
  };
  return [await statusAt(stack.urls[0]), await statusAt(stack.urls[1])];
}

describe("POST and GET /admin/tenants", () => {
  test("201_uses_the_tiers_defaults_for_absent_settings", async () => {
    const { tenant } = await create();
    const { id, version, created_at, updated_at, ...rest } = tenant;
    assert.match(id, /^ten_/);
    assert.equal(version, 1);
    assert.equal(created_at, updated_at);
    assert.deepEqual(rest, {
      object: "tenant", name: "A tenant", tier: "pro", status: "active", limits: {}, quotas: {}, storage: {},
      default_model: null, thinking: null, allowed_models: null, system_prompt: null, time_zone: null, tools: [], fallback: [], classifier: {}, ignore_body_session_id: false, retention_days: null,
    });
  });

  test("201_stores_every_setting_as_sent", async () => {
    const settings = {
      limits: { requests_per_minute: 5, burst: null }, quotas: { tokens_per_month: 0, messages_per_month: null },
      default_model: "scripted-model", thinking: "low", allowed_models: ["scripted-model"], system_prompt: "Be brief.",
      tools: ["time_now"], fallback: ["scripted-model"], classifier: { simple_threshold: 0.75, off: ["code"] }, ignore_body_session_id: true, retention_days: 30,
    };
    const { path } = await create(settings);
    const { body } = await stack.admin("GET", path);
    for (const [name, value] of Object.entries(settings)) assert.deepEqual(body[name], value, name);
    const fallback = { code: ["scripted-model"], complex: ["smart"] };
    const patched = await stack.admin("PATCH", path, { fallback: { ...fallback, simple: [] } });
    assert.deepEqual([patched.status, patched.body.fallback], [200, fallback]);
    const fewer = await stack.admin("PATCH", path, { fallback: { complex: null } });
    assert.deepEqual([fewer.status, fewer.body.fallback], [200, { code: ["scripted-model"] }]);
  });

  test("attack 13: 400_names_the_invalid_setting", async () => {
    const cases = [
      [{}, "missing_required_parameter", "name"],
      [{ name: "x", tenant_id: "y" }, "unknown_parameter", "tenant_id"],
      [{ name: "x", role: "admin" }, "unknown_parameter", "role"],
      [{ name: "x", quota: 1 }, "unknown_parameter", "quota"],
      [{ name: "x", id: "ten_01ARZ3NDEKTSV4RRFFQ69G5FAV" }, "unknown_parameter", "id"],
      [{ name: "x", version: 7 }, "unknown_parameter", "version"],
      [{ name: "x", limits: { bursts: 1 } }, "unknown_parameter", "limits.bursts"],
      [{ name: "x", limits: { burst: -1 } }, "invalid_type", "limits.burst"],
      [{ name: "x", limits: { burst: 1.5 } }, "invalid_type", "limits.burst"],
      [{ name: "x", quotas: { tokens_per_month: "5" } }, "invalid_type", "quotas.tokens_per_month"],
      [{ name: "x", tier: "gold" }, "invalid_type", "tier"],
      [{ name: "x", status: "deleting" }, "invalid_type", "status"],
      [{ name: "x", retention_days: 0 }, "invalid_value", "retention_days"],
      [{ name: "x", system_prompt: "x".repeat(70_000) }, "invalid_value", "system_prompt"],
      [{ name: "x", fallback: [""] }, "invalid_value", "fallback"],
      [{ name: "x", fallback: ["gone"] }, "invalid_value", "fallback"],
      [{ name: "x", fallback: { code: ["vision"] } }, "invalid_value", "fallback.code"],
      [{ name: "x", default_model: "gone" }, "invalid_value", "default_model"],
      [{ name: "x", default_model: "scripted-model", allowed_models: ["a"] }, "invalid_value", "default_model"],
      [{ name: "x", tools: ["time_now", "no_such_tool"] }, "invalid_value", "tools"],
      [{ name: "x", fallback: "a" }, "invalid_type", "fallback"],
      [{ name: "x", fallback: { poem: ["a"] } }, "unknown_parameter", "fallback.poem"],
      [{ name: "x", fallback: { code: [""] } }, "invalid_value", "fallback.code"],
      [{ name: "x", allowed_models: ["a"], fallback: ["smart", "b"] }, "invalid_value", "fallback"],
      [{ name: "x", allowed_models: ["a"], fallback: { code: ["b"] } }, "invalid_value", "fallback.code"],
      [{ name: "x", classifier: { simple_threshold: 2 } }, "invalid_value", "classifier.simple_threshold"],
      [{ name: "x", classifier: { off: ["poem"] } }, "invalid_type", "classifier.off[0]"],
      [{ name: "\u001b[31m" }, "invalid_value", "name"],
      ["[]", "invalid_type"],
    ];
    const before = await stack.rowCounts();
    for (const [body, code, param] of cases) await expectRejected(400, { code, param }, "POST", "/tenants", body);
    assert.deepEqual(await stack.rowCounts(), before);
  });

  test("200_lists_page_by_page_and_404_for_an_unknown_tenant", async () => {
    const { tenant } = await create();
    const ids = [];
    for (let cursor = ""; cursor !== undefined; ) {
      const { status, body } = await stack.admin("GET", `/tenants?limit=2${cursor}`);
      assert.equal(status, 200);
      ids.push(...body.data.map(({ id }) => id));
      cursor = body.has_more ? `&cursor=${body.next_cursor}` : undefined;
    }
    assert.ok(ids.includes(tenant.id) && ids.includes(stack.tenants[0].tenant_id));
    assert.deepEqual(ids, [...new Set(ids)].sort());
    await expectRejected(400, { code: "invalid_value", param: "cursor" }, "GET", "/tenants?cursor=x");
    await expectRejected(404, { code: "resource_not_found" }, "GET", UNKNOWN_TENANT);
    await expectRejected(404, { code: "resource_not_found" }, "PATCH", UNKNOWN_TENANT, {});
    await expectRejected(404, { code: "resource_not_found" }, "PUT", UNKNOWN_TENANT, { name: "x" });
    await expectRejected(404, { code: "resource_not_found" }, "DELETE", UNKNOWN_TENANT);
    await expectRejected(404, { code: "resource_not_found" }, "GET", `${UNKNOWN_TENANT}/usage`);
  });
});

describe("PUT and PATCH /admin/tenants/{id}", () => {
  test("200_a_patch_changes_given_members_and_null_removes_them", async () => {
    const { path } = await create({ limits: { burst: 5, concurrent: null }, system_prompt: "x", retention_days: 7 });
    const { status, body, headers } = await stack.admin("PATCH", path, { limits: { burst: null, requests_per_minute: 9 }, system_prompt: null });
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(body.limits, { requests_per_minute: 9, concurrent: null }, "unlimited values stay unlimited");
    assert.deepEqual([body.system_prompt, body.retention_days, body.version], [null, 7, 2]);
    assert.equal(headers.get("etag"), '"2"');
    const same = await stack.admin("PATCH", path, { retention_days: 7 });
    assert.deepEqual([same.status, same.body.version], [200, 2], "a patch without a change keeps the version");
  });

  test("200_a_patch_sets_a_limit_to_unlimited_and_null_restores_the_tiers", async () => {
    const { path, key } = await create({ tier: "free", limits: { burst: 5 } });
    const limitAt = async (url) => (await complete(stack, {}, { key, url })).response.headers.get("x-ratelimit-limit-requests");
    assert.equal(await limitAt(stack.urls[0]), "5");
    const { status, body } = await stack.admin("PATCH", path, { limits: { burst: "unlimited" }, quotas: { tokens_per_month: "unlimited" } });
    assert.deepEqual([status, body.limits, body.quotas], [200, { burst: null }, { tokens_per_month: null }], JSON.stringify(body));
    for (const url of stack.urls) assert.equal(await limitAt(url), null);
    assert.deepEqual((await stack.admin("PATCH", path, { name: "Other" })).body.limits, { burst: null }, "other changes keep it");
    const restored = await stack.admin("PATCH", path, { limits: { burst: null }, quotas: { tokens_per_month: null } });
    assert.deepEqual([restored.body.limits, restored.body.quotas], [{}, {}]);
    assert.notEqual(await limitAt(stack.urls[1]), null);
    await expectRejected(400, { code: "invalid_type", param: "limits.burst" }, "PATCH", path, { limits: { burst: "none" } });
    await expectRejected(400, { code: "invalid_type", param: "limits.shares.read" }, "PATCH", path, { limits: { shares: { read: "unlimited" } } });
  });

  test("200_a_put_replaces_all_and_absent_members_get_defaults", async () => {
    const { path } = await create({ system_prompt: "x", limits: { burst: 5 } });
    const { status, body } = await stack.admin("PUT", path, { name: "Renamed", tier: "enterprise" });
    assert.equal(status, 200);
    assert.deepEqual([body.name, body.tier, body.system_prompt, body.limits], ["Renamed", "enterprise", null, {}]);
  });

  test("412_if_it_changed_since_it_was_read", async () => {
    const { path } = await create();
    const { headers } = await stack.admin("GET", path);
    const ifMatch = { headers: { "if-match": headers.get("etag") } };
    assert.equal((await stack.admin("PATCH", path, { name: "first" }, ifMatch)).status, 200);
    await expectRejected(412, { code: "precondition_failed" }, "PATCH", path, { name: "second" }, ifMatch);
    await expectRejected(412, { code: "precondition_failed" }, "PUT", path, { name: "second" }, ifMatch);
    assert.equal((await stack.admin("PATCH", path, { name: "third" }, { headers: { "if-match": "*" } })).status, 200);
    assert.equal((await stack.admin("GET", path)).body.name, "third");
  });

  test("of_two_concurrent_changes_of_the_same_version_one_wins", async () => {
    const { path } = await create();
    const ifMatch = { "if-match": '"1"' };
    const both = await Promise.all(stack.urls.map((url, at) => stack.admin("PATCH", path, { name: `by ${at}` }, { url, headers: ifMatch })));
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412]);
  });

  test("400_names_the_invalid_member_and_changes_nothing", async () => {
    const { path } = await create();
    const cases = [
      [{ quota: 5 }, "unknown_parameter", "quota"],
      [{ version: 9 }, "unknown_parameter", "version"],
      [{ limits: { x: 1 } }, "unknown_parameter", "limits.x"],
      [{ limits: 5 }, "invalid_type", "limits"],
      [{ name: null }, "missing_required_parameter", "name"],
      ["5", "invalid_type"],
    ];
    for (const [body, code, param] of cases) await expectRejected(400, { code, param }, "PATCH", path, body);
    assert.equal((await stack.admin("GET", path)).body.version, 1);
  });

  test("a_removed_model_is_404_at_the_next_request_on_both_gateways", async () => {
    const { path, key } = await create();
    assert.deepEqual(await statuses(key), [200, 200]);
    await stack.admin("PATCH", path, { allowed_models: ["another"] });
    assert.deepEqual(await statuses(key), [404, 404]);
  });

  test("prompts_and_quotas_apply_at_the_next_request_on_both_gateways", async () => {
    const { path, key } = await create();
    assert.deepEqual(await statuses(key), [200, 200]);
    await stack.admin("PATCH", path, { system_prompt: "You are new here." });
    await complete(stack, {}, { key, url: stack.urls[1] });
    assert.equal(stack.upstream.requests.at(-1).body.messages[0].content, "You are new here.");
    await stack.admin("PATCH", path, { quotas: { messages_per_month: 0 } });
    assert.deepEqual(await statuses(key), [429, 429]);
    await stack.admin("PATCH", path, { quotas: null });
    assert.deepEqual(await statuses(key), [200, 200]);
  });

  test("a_suspended_tenant_is_rejected_at_the_next_request_on_both_gateways_and_so_is_its_resumption", async () => {
    const { path, key } = await create();
    assert.deepEqual(await statuses(key), [200, 200]);
    assert.equal((await stack.admin("PATCH", path, { status: "suspended" })).body.status, "suspended");
    const requestsBefore = stack.upstream.requests.length;
    for (const url of stack.urls) await expectError(await postChat(stack, chatBody(), { key, url }), 403, { code: "tenant_suspended" });
    assert.equal(stack.upstream.requests.length, requestsBefore, "the provider is not called");
    await stack.admin("PATCH", path, { status: "active" });
    assert.deepEqual(await statuses(key), [200, 200]);
  });
});

describe("attack 25: usage", () => {
  test("200_groups_one_tenants_usage_by_day_model_and_key", async () => {
    const [one, other] = [await create(), await create()];
    for (const { key } of [one, one, other]) await complete(stack, {}, { key });
    await stack.receipts(one.tenant.id, 2);
    await stack.receipts(other.tenant.id, 1);
    const { status, body } = await stack.admin("GET", `${one.path}/usage`);
    assert.equal(status, 200);
    const today = new Date().toISOString().slice(0, 10);
    const [line] = body.data;
    assert.deepEqual(body.data.map(({ model, key_id, messages }) => [model, key_id, messages]), [["scripted-model", one.keyId, 2]]);
    assert.equal(line.day, today);
    assert.equal(line.tokens, line.tokens_in + line.tokens_out);
    assert.ok(!JSON.stringify(body).includes(other.keyId));

    const csv = await stack.admin("GET", `${one.path}/usage?format=csv`);
    assert.equal(csv.headers.get("content-type"), "text/csv; charset=utf-8");
    assert.deepEqual(csv.body.split("\r\n"), [
      "day,model,key_id,messages,tokens_in,tokens_out,tokens,micro_dollars",
      `${today},"scripted-model",${one.keyId},2,${line.tokens_in},${line.tokens_out},${line.tokens},${line.micro_dollars}`,
      "",
    ]);

    const before = await stack.admin("GET", `${one.path}/usage?to=${Math.floor(Date.now() / 1000) - 86_400}&from=0`);
    assert.deepEqual(before.body.data, []);
    const all = await stack.admin("GET", "/usage?limit=100");
    const mine = all.body.data.find(({ tenant_id: id }) => id === one.tenant.id);
    assert.deepEqual([mine.messages, mine.tokens], [2, line.tokens]);
  });

  test("400_for_a_period_of_more_lines_than_a_report_has", async () => {
    const { tenant, path } = await create();
    const [example] = await stack.rows("SELECT * FROM receipts LIMIT 1");
    const names = Object.keys(example);
    // Each receipt is of a model of its own, and hence a line of its own.
    const own = { tenant_id: "?1", request_id: "printf('req_%026d', value)", model: "'m' || value" };
    const numbers = "WITH RECURSIVE numbers(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM numbers WHERE value < 50001)";
    await stack.rows(`INSERT INTO receipts (${names}) ${numbers} SELECT ${names.map((name) => own[name] ?? name)} FROM numbers, (SELECT * FROM receipts LIMIT 1)`, tenant.id);
    for (const format of ["json", "csv"]) {
      const { status, body } = await stack.admin("GET", `${path}/usage?format=${format}`);
      assert.deepEqual([status, body.error?.param], [400, "from"]);
    }
    await stack.rows("DELETE FROM receipts WHERE tenant_id = ?1", tenant.id);
  });

  test("400_for_an_invalid_query", async () => {
    const { path } = await create();
    for (const [query, param] of [["from=x", "from"], ["to=-1", "to"], ["format=xml", "format"], ["day=1", "day"]]) {
      const response = await stack.admin("GET", `${path}/usage?${query}`);
      assert.deepEqual([response.status, response.body.error.param], [400, param]);
    }
  });
});

describe("DELETE /admin/tenants/{id}", () => {
  test("attack 23: a_deleted_tenant_leaves_no_data_and_its_key_is_rejected", async () => {
    const { tenant, path, key, keyId } = await create();
    const headers = { "x-session-id": "secret-plans" };
    await complete(stack, { messages: [{ role: "user", content: "canary-of-the-deleted" }] }, { key, headers });
    await complete(stack, {}, { key, headers, url: stack.urls[1] });
    await stack.receipts(tenant.id, 2);
    const deleted = await stack.admin("DELETE", path);
    assert.deepEqual([deleted.status, deleted.body.deleted], [200, true], JSON.stringify(deleted.body));
    assert.deepEqual(await statuses(key), [401, 401]);
    const tables = await stack.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'");
    for (const { name } of tables.filter(({ name }) => name !== "audit_log")) {
      const text = JSON.stringify(await stack.rows(`SELECT * FROM "${name}"`));
      for (const trace of [tenant.id, keyId, "canary-of-the-deleted"]) assert.ok(!text.includes(trace), `${trace} in ${name}`);
    }
    const { body: log } = await stack.admin("GET", `/audit?tenant_id=${tenant.id}`);
    assert.deepEqual(log.data.slice(0, 2).map(({ action }) => action), ["tenant.delete", "tenant.close"]);
    await expectRejected(404, { code: "resource_not_found" }, "GET", path);
    await expectRejected(404, { code: "resource_not_found" }, "DELETE", path);
    // The ledger is empty; even its configuration is deleted.
    const pass = { pass: { class: "read", caller: { key_id: keyId, key_version: 1, config_version: 1 } } };
    const { answer } = await stack.callLedger(tenant.id, pass);
    assert.deepEqual(answer, { stale: { config: { known: null } } });
  });

  test("attack 23: the_cached_copies_of_a_deleted_tenant_are_removed_and_those_of_others_stay", async () => {
    const [gone, other] = [await create(), await create()];
    for (const { key } of [gone, other]) {
      for (const session of ["first", "second"]) await complete(stack, {}, { key, headers: { "x-session-id": session } });
    }
    await until(async () => (await copiesOf(gone)) === 2 && (await copiesOf(other)) === 2, "the copies");
    assert.equal((await stack.admin("DELETE", gone.path)).body.deleted, true);
    assert.deepEqual([await copiesOf(gone), await copiesOf(other)], [0, 2]);
  });

  test("attack 23: more_cached_copies_than_one_request_removes_take_several", async () => {
    const [gone, other] = [await create(), await create()];
    await stack.addCopies(gone.tenant.id, 450);
    await stack.addCopies(other.tenant.id, 3);
    const first = await stack.admin("DELETE", gone.path);
    assert.deepEqual([first.status, first.body.deleted, await copiesOf(gone)], [202, false, 50]);
    const second = await stack.admin("DELETE", gone.path);
    assert.deepEqual([second.status, second.body.deleted], [200, true]);
    assert.deepEqual([await copiesOf(gone), await copiesOf(other)], [0, 3]);
  });

  test("attack 23: a_tenant_recreated_under_the_same_names_sees_no_old_data", async () => {
    const old = await create({ name: "Phoenix", system_prompt: "canary-prompt" });
    const inSession = (key, url, content) => complete(stack, { messages: [{ role: "user", content }] }, { key, url, headers: { "x-session-id": "plans", "idempotency-key": content } });
    for (const url of stack.urls) await inSession(old.key, url, `canary-of-the-old ${url}`);
    await stack.receipts(old.tenant.id, 2);
    assert.equal((await stack.admin("DELETE", old.path)).body.deleted, true);
    const created = await create({ name: "Phoenix" });
    assert.notEqual(created.tenant.id, old.tenant.id);
    for (const of of ["/usage", "/sessions"]) assert.deepEqual((await stack.admin("GET", `${created.path}${of}`)).body.data, [], of);
    stack.upstream.reset();
    // The same messages with the same idempotency keys are new calls.
    for (const url of stack.urls) await inSession(created.key, url, `canary-of-the-old ${url}`);
    const [first, second] = stack.upstream.requests.map(({ body }) => body.messages.map(({ role }) => role));
    assert.deepEqual([first, second], [["user"], ["user", "assistant", "user"]]);
    const { body } = await stack.admin("GET", `${created.path}/export`);
    for (const trace of [old.tenant.id, old.keyId, "canary-prompt"]) assert.ok(!JSON.stringify(body).includes(trace), trace);
  });

  test("a_large_tenant_is_deleted_in_several_requests_and_rejected_from_the_first", async () => {
    const { tenant, path, key } = await create();
    await stack.rows(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
       INSERT INTO sessions (tenant_id, id, created_at, updated_at) SELECT ?1, 'session-' || i, 1, 1 FROM n`,
      tenant.id,
    );
    const first = await stack.admin("DELETE", path);
    assert.deepEqual([first.status, first.body.deleted], [202, false]);
    assert.deepEqual(await statuses(key), [403, 403]);
    await expectRejected(409, { code: "conflict" }, "PATCH", path, { status: "active" });
    await expectRejected(409, { code: "conflict" }, "POST", `${path}/keys`, { name: "x", scopes: ["chat"] });
    assert.equal((await stack.admin("GET", path)).body.status, "deleting");
    const second = await stack.admin("DELETE", path);
    assert.deepEqual([second.status, second.body.deleted], [200, true]);
  });
});

test("attack 12: internal_headers_and_tenant_headers_from_outside_are_ignored", async () => {
  const { tenant, path, key, keyId } = await create();
  const forged = { "x-tenant-id": stack.tenants[0].tenant_id, "x-clawless-operator": "bootstrap", "x-internal": "1", "cf-worker": "clawless-gateway" };
  assert.equal((await stack.admin("GET", path, undefined, { token: null, headers: forged })).status, 401);
  await complete(stack, {}, { key, headers: forged });
  const [receipt] = await stack.receipts(tenant.id, 1);
  assert.deepEqual([receipt.tenant_id, receipt.key_id], [tenant.id, keyId]);
  const { body } = await stack.admin("PATCH", path, { name: "renamed" }, { headers: forged });
  assert.equal(body.id, tenant.id);
  const { body: log } = await stack.admin("GET", `/audit?tenant_id=${tenant.id}&limit=1`);
  assert.deepEqual([log.data[0].action, log.data[0].actor.startsWith("adm_")], ["tenant.update", true], "the actor is the token");
});

test("attack 57: a_broken_database_is_a_generic_500_with_the_request_id", async () => {
  await stack.rows("ALTER TABLE audit_log RENAME TO audit_log_away");
  try {
    const before = await stack.rows("SELECT count(*) AS count FROM tenants");
    const { status, body, headers } = await stack.admin("POST", "/tenants", { name: "x" });
    assert.equal(status, 500);
    assert.match(headers.get("x-request-id"), /^req_/);
    assert.doesNotMatch(JSON.stringify(body), /audit|SQL|D1|table/i);
    assert.deepEqual(await stack.rows("SELECT count(*) AS count FROM tenants"), before, "no change without its audit log entry");
  } finally {
    await stack.rows("ALTER TABLE audit_log_away RENAME TO audit_log");
  }
});

test("a_default_that_is_no_longer_offered_is_reported_and_does_not_prevent_other_changes", async () => {
  const { body: tenant } = await stack.admin("POST", "/tenants", { name: "stale" });
  const { body: key } = await stack.admin("POST", `/tenants/${tenant.id}/keys`, { name: "k", scopes: ["chat"] });
  await stack.updateSettings(tenant.id, { default_model: "gone", fallback: ["gone"] });
  const auto = (url) => postChat(stack, chatBody({ model: "auto" }), { key: key.key, url });
  const error = await expectError(await auto(), 404, { code: "model_not_found", param: "model" });
  assert.match(error.message, /`gone`.*`default_model`/);
  await complete(stack, {}, { key: key.key });
  const path = `/tenants/${tenant.id}`;
  const forged = { "x-clawless-offered-models": "auto,other" };
  assert.equal((await stack.admin("PATCH", path, { default_model: "other" }, { headers: forged })).status, 400, "the header of a client has no effect");
  assert.equal((await stack.admin("PATCH", path, { status: "suspended" })).status, 200);
  assert.equal((await stack.admin("PATCH", path, { status: "active", default_model: "smart" })).status, 200);
  // The first gateway may use its copy of the tenant's record for 30 seconds.
  const answered = await auto(stack.urls[1]);
  assert.deepEqual([answered.status, answered.headers.get("x-clawless-route")], [200, "tenant"], await answered.text());
});
