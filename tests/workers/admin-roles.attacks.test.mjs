// Roles of admin tokens: every route with every role, and attempts to get more than a role grants.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertEnvelope } from "../harness/client.mjs";
import { ADMIN } from "../harness/description.mjs";
import { BOOTSTRAP_TOKEN, startStack } from "../harness/stack.mjs";
import { PNG, SITE } from "../harness/widget.mjs";

const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const TENANT = "/admin/tenants/{id}";
const KEY = `${TENANT}/keys/{key}`;
const WIDGET = `${KEY}/widget`;
const SESSION = `${TENANT}/sessions/{session}`;
const ROLES = ["owner", "operator", "viewer", "tenant_admin"];
const GLOBAL = { viewer: ["owner", "operator", "viewer"], operator: ["owner", "operator"], owner: ["owner"] };

/** Each route: the roles that may use it besides tenant admins, whether tenant admins may, and the body of a request. */
const ROUTES = {
  "GET /admin/health": { roles: GLOBAL.viewer },
  "GET /admin/openapi.json": { everyone: true },
  "GET /admin/docs": { everyone: true },
  "GET /admin/tenants": { roles: GLOBAL.viewer },
  "POST /admin/tenants": { roles: GLOBAL.operator, body: { name: "x" } },
  [`GET ${TENANT}`]: { roles: GLOBAL.viewer, own: true },
  [`PUT ${TENANT}`]: { roles: GLOBAL.operator, own: true, body: { name: "x" } },
  [`PATCH ${TENANT}`]: { roles: GLOBAL.operator, own: true, body: { name: "x" } },
  [`DELETE ${TENANT}`]: { roles: GLOBAL.operator, body: {} },
  [`GET ${TENANT}/usage`]: { roles: GLOBAL.viewer, own: true },
  [`GET ${TENANT}/sessions`]: { roles: GLOBAL.operator, own: true },
  [`GET ${SESSION}`]: { roles: GLOBAL.operator, own: true },
  [`GET ${SESSION}/messages`]: { roles: GLOBAL.operator, own: true },
  [`GET ${TENANT}/export`]: { roles: GLOBAL.operator, own: true },
  [`POST ${TENANT}/erase`]: { roles: GLOBAL.operator, body: {} },
  "GET /admin/usage": { roles: GLOBAL.viewer },
  [`GET ${TENANT}/keys`]: { roles: GLOBAL.viewer, own: true },
  [`POST ${TENANT}/keys`]: { roles: GLOBAL.operator, own: true, body: { name: "x", scopes: ["chat"] } },
  [`GET ${KEY}`]: { roles: GLOBAL.viewer, own: true },
  [`PATCH ${KEY}`]: { roles: GLOBAL.operator, own: true, body: { name: "x" } },
  [`POST ${KEY}/rotate`]: { roles: GLOBAL.operator, own: true, body: {} },
  [`POST ${KEY}/revoke`]: { roles: GLOBAL.operator, own: true, body: {} },
  [`GET ${WIDGET}`]: { roles: GLOBAL.viewer, own: true },
  [`PATCH ${WIDGET}`]: { roles: GLOBAL.operator, own: true, body: { title: "x" } },
  [`PUT ${WIDGET}/logo`]: { roles: GLOBAL.operator, own: true, body: { image: PNG } },
  [`DELETE ${WIDGET}/logo`]: { roles: GLOBAL.operator, own: true },
  "GET /admin/tokens": { roles: GLOBAL.owner },
  "POST /admin/tokens": { roles: GLOBAL.owner, body: { name: "x", role: "viewer" } },
  "PATCH /admin/tokens/{id}": { roles: GLOBAL.owner, body: { role: "viewer" } },
  "POST /admin/tokens/{id}/revoke": { roles: GLOBAL.owner, body: {} },
  "GET /admin/audit": { roles: GLOBAL.viewer, own: true, query: "tenant_id" },
};

let stack;
let addresses = 0;
before(async () => (stack = await startStack()));
after(() => stack.stop());

/** Calls the admin API from a new address, because a limit applies to each. */
function call(token, method, url, body) {
  addresses += 1;
  return stack.admin(method, url.slice("/admin".length), body, { token, headers: { "cf-connecting-ip": `203.0.${addresses >> 8}.${addresses & 255}` } });
}

let owner;
let uses = 0;

/** A token of an owner; a new one after 150 uses, because a limit applies to each. */
async function ownerToken() {
  if (uses++ % 150 === 0) owner = (await expectStatus(201, BOOTSTRAP_TOKEN, "POST", "/admin/tokens", { name: "owner", role: "owner" })).token;
  return owner;
}

/** Sends a request with this token, or as an owner if it is null; returns the body. */
async function expectStatus(status, token, ...request) {
  const response = await call(token ?? (await ownerToken()), ...request);
  assert.equal(response.status, status, `${request[0]} ${request[1]}: ${JSON.stringify(response.body)}`);
  return response.body;
}

/** Creates a token of a role; a tenant admin's is bound to `tenant`. */
const mint = (role, tenant) => expectStatus(201, null, "POST", "/admin/tokens", { name: role, role, ...(role === "tenant_admin" ? { tenant_id: tenant } : {}) });

/** Creates a tenant with a key, a public key and a session. */
async function createTenant() {
  const { id } = await expectStatus(201, null, "POST", "/admin/tenants", { name: "x" });
  const { id: key } = await expectStatus(201, null, "POST", `/admin/tenants/${id}/keys`, { name: "x", scopes: ["chat"] });
  const { id: page } = await expectStatus(201, null, "POST", `/admin/tenants/${id}/keys`, { name: "page", kind: "public", allowed_origins: [SITE] });
  await stack.rows("INSERT INTO sessions (tenant_id, id, created_at, updated_at) VALUES (?1, 'one', 1, 1)", id);
  return { id, key, page };
}

function urlOf(pattern, { query }, tenant, token) {
  const id = pattern.startsWith(TENANT) ? tenant.id : token;
  const url = pattern.replace("{id}", id).replace("{key}", pattern.includes("/widget") ? tenant.page : tenant.key).replace("{session}", "one");
  return query ? `${url}?${query}=${tenant.id}` : url;
}

/** Without the id of the request, which differs. */
const comparable = ({ error }) => ({ ...error, request_id: undefined, message: error.message.replace(/req_\w+/, "") });

test("the_matrix_has_every_described_route", () => {
  const found = ADMIN.operations.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(Object.keys(ROUTES).sort(), found.sort());
});

describe("attack 69: every route with every role", () => {
  for (const [name, route] of Object.entries(ROUTES)) {
    const [method, pattern] = name.split(" ");
    for (const role of ROLES) {
      const isAllowed = route.everyone || (role === "tenant_admin" ? route.own === true : route.roles.includes(role));
      test(`${isAllowed ? "allowed" : "403"}_${name}_${role}`, async () => {
        const tenant = await createTenant();
        const [{ token }, target] = [await mint(role, tenant.id), await mint("owner")];
        const url = urlOf(pattern, route, tenant, target.id);
        const before = await stack.rowCounts();
        const { status, body } = await call(token, method, url, route.body);
        if (isAllowed) {
          assert.ok([200, 201, 202].includes(status), `${status} ${JSON.stringify(body)}`);
          return;
        }
        assertEnvelope(body);
        assert.deepEqual([status, body.error.code], [403, "permission_denied"]);
        const needed = route.roles.at(-1);
        assert.ok(body.error.message.includes(`\`${needed}\``), body.error.message);
        assert.ok(body.error.message.includes(`Your token has the role \`${role}\``), body.error.message);
        assert.deepEqual(await stack.rowCounts(), before, "nothing is stored");
      });
    }
    if (route.own) {
      test(`404_${name}_admin_of_another_tenant`, async () => {
        const [mine, theirs] = [await createTenant(), await createTenant()];
        const { token } = await mint("tenant_admin", mine.id);
        const before = await stack.rowCounts();
        const answers = [];
        for (const id of [theirs.id, `ten_${ULID}`, mine.id.toLowerCase(), "unknown"]) {
          const { status, body } = await call(token, method, urlOf(pattern, route, { ...theirs, id }), route.body);
          assert.deepEqual([status, body.error.code], [404, "resource_not_found"], id);
          answers.push(comparable(body));
        }
        for (const answer of answers) assert.deepEqual(answer, answers[0], "an existing tenant is indistinguishable");
        assert.deepEqual(await stack.rowCounts(), before, "nothing is stored");
        if (!pattern.startsWith(TENANT)) return;
        const unknown = await call(await ownerToken(), method, urlOf(pattern, route, { ...theirs, id: `ten_${ULID}` }), route.body);
        assert.deepEqual(comparable(unknown.body), answers[0], "as an owner's request for an unknown tenant");
      });
    }
  }

  test("a_tenant_admin_sees_only_the_audit_log_of_its_tenant_and_must_name_it", async () => {
    const [mine, theirs] = [await createTenant(), await createTenant()];
    const { token } = await mint("tenant_admin", mine.id);
    const log = await expectStatus(200, token, "GET", `/admin/audit?tenant_id=${mine.id}`);
    assert.deepEqual(log.data.map(({ action }) => action), ["key.mint", "key.mint", "tenant.create"]);
    assert.ok(!JSON.stringify(log).includes(theirs.id));
    const { error } = await expectStatus(403, token, "GET", "/admin/audit");
    assert.match(error.message, /`tenant_admin` of the tenant that it names/);
    await expectStatus(403, token, "GET", `/admin/audit?tenant_id=${mine.id}&tenant_id=${theirs.id}`);
  });

  test("attack 69: changes_of_admin_tokens_are_in_the_audit_log_of_those_who_may_list_the_tokens_only", async () => {
    const tenant = await createTenant();
    const bound = await mint("tenant_admin", tenant.id);
    const actions = async (role) => {
      const { token } = await mint(role);
      const seen = [];
      for (let cursor = ""; cursor !== undefined; ) {
        const page = await expectStatus(200, token, "GET", `/admin/audit?limit=100${cursor}`);
        seen.push(...page.data);
        cursor = page.has_more ? `&cursor=${encodeURIComponent(page.next_cursor)}` : undefined;
      }
      return seen;
    };
    // Deleting the tenant revokes the token that is bound to it, with an entry of its own.
    await expectStatus(200, null, "DELETE", `/admin/tenants/${tenant.id}`);
    const [{ before, after, action }, ...others] = (await actions("owner")).filter(({ target }) => target === bound.id);
    assert.deepEqual([action, before.revoked_at, typeof after.revoked_at, after.tenant_id], ["token.revoke", null, "number", tenant.id]);
    assert.deepEqual(others.map((entry) => entry.action), ["token.mint"]);
    for (const role of ["viewer", "operator"]) {
      const seen = await actions(role);
      assert.ok(seen.some((entry) => entry.action === "tenant.delete" && entry.target === tenant.id), role);
      assert.deepEqual(seen.filter((entry) => entry.action.startsWith("token.")), [], role);
    }
  });

  test("unknown_paths_and_methods_are_404_and_405_for_every_role", async () => {
    const tenant = await createTenant();
    for (const role of ROLES) {
      const { token } = await mint(role, tenant.id);
      await expectStatus(404, token, "GET", "/admin/nothing");
      await expectStatus(405, token, "PUT", "/admin/tokens", {});
    }
  });
});

describe("attack 69: more than a role grants", () => {
  test("a_tenant_admin_changes_its_settings_but_not_what_the_tenant_may_use", async () => {
    const tenant = await createTenant();
    const url = `/admin/tenants/${tenant.id}`;
    await expectStatus(200, null, "PATCH", url, { limits: { burst: 7 }, allowed_models: ["scripted-model"] });
    const { token } = await mint("tenant_admin", tenant.id);
    const before = await expectStatus(200, token, "GET", url);
    const grants = [["tier", "pro"], ["status", "suspended"], ["limits", { burst: 8 }], ["limits", null], ["quotas", { messages_per_month: "unlimited" }], ["storage", { bytes: "unlimited" }], ["allowed_models", null]];
    for (const [param, value] of grants) {
      const { error } = await expectStatus(403, token, "PATCH", url, { [param]: value, system_prompt: "changed" });
      assert.deepEqual([error.code, error.param], ["permission_denied", param]);
      assert.match(error.message, /needs the role `operator` or `owner`. Your token has the role `tenant_admin`/);
    }
    const { error } = await expectStatus(403, token, "PUT", url, { name: "reset" });
    assert.equal(error.param, "limits", "a PUT without limits would reset them");
    assert.deepEqual(await expectStatus(200, token, "GET", url), before);
    const changed = await expectStatus(200, token, "PATCH", url, { system_prompt: "Be brief.", retention_days: 30, limits: { burst: 7 } });
    assert.deepEqual([changed.system_prompt, changed.retention_days, changed.limits, changed.version], ["Be brief.", 30, { burst: 7 }, before.version + 1]);
  });

  test("no_role_below_owner_mints_changes_or_revokes_a_token", async () => {
    const tenant = await createTenant();
    for (const role of ROLES.filter((role) => role !== "owner")) {
      const own = await mint(role, tenant.id);
      const before = await stack.rows("SELECT * FROM admin_tokens ORDER BY id");
      for (const wanted of ROLES) {
        const body = { name: "wider", role: wanted, ...(wanted === "tenant_admin" ? { tenant_id: tenant.id } : {}) };
        await expectStatus(403, own.token, "POST", "/admin/tokens", body);
        await expectStatus(403, own.token, "PATCH", `/admin/tokens/${own.id}`, { role: wanted });
      }
      await expectStatus(403, own.token, "POST", `/admin/tokens/${own.id}/revoke`, {});
      assert.deepEqual(await stack.rows("SELECT * FROM admin_tokens ORDER BY id"), before, role);
    }
  });

  test("a_narrowed_token_loses_its_rights_at_the_next_request_and_a_revoked_one_all", async () => {
    const tenant = await createTenant();
    const { id, token } = await mint("owner");
    const create = () => call(token, "POST", "/admin/tenants", { name: "x" });
    assert.equal((await create()).status, 201);
    const narrow = (body) => expectStatus(200, BOOTSTRAP_TOKEN, "PATCH", `/admin/tokens/${id}`, body);
    assert.equal((await narrow({ role: "viewer" })).role, "viewer");
    assert.equal((await create()).status, 403);
    await expectStatus(200, token, "GET", "/admin/tenants");
    const bound = await narrow({ role: "tenant_admin", tenant_id: tenant.id });
    assert.deepEqual([bound.role, bound.tenant_id], ["tenant_admin", tenant.id]);
    await expectStatus(403, token, "GET", "/admin/tenants");
    await expectStatus(200, token, "GET", `/admin/tenants/${tenant.id}`);
    const soon = Math.floor(Date.now() / 1000) + 3600;
    assert.deepEqual([(await narrow({ expires_at: soon })).expires_at, (await narrow({ expires_at: null })).expires_at], [soon, null]);
    assert.equal((await narrow({ role: "owner" })).tenant_id, null);
    assert.equal((await create()).status, 201);
    await expectStatus(200, BOOTSTRAP_TOKEN, "POST", `/admin/tokens/${id}/revoke`, {});
    assert.equal((await create()).status, 401);
    const { error } = await expectStatus(409, BOOTSTRAP_TOKEN, "PATCH", `/admin/tokens/${id}`, { role: "owner" });
    assert.match(error.message, /revoked/);
    const log = await stack.rows("SELECT action, actor, before_json, after_json FROM audit_log WHERE target = ?1 ORDER BY id", id);
    const roles = log.map(({ action, actor, before_json, after_json }) => [action, actor, before_json && JSON.parse(before_json).role, JSON.parse(after_json).role]);
    assert.deepEqual(roles.slice(0, 3), [
      ["token.mint", log[0].actor, null, "owner"],
      ["token.update", "bootstrap", "owner", "viewer"],
      ["token.update", "bootstrap", "viewer", "tenant_admin"],
    ]);
    assert.deepEqual(roles.at(-1).slice(0, 2), ["token.revoke", "bootstrap"]);
    assert.equal(roles.length, 7);
    assert.equal(JSON.parse(log[2].after_json).tenant_id, tenant.id);
  });

  test("the_last_owner_can_narrow_itself_and_the_secret_of_the_deployment_remains_an_owner", async () => {
    const { id, token } = await mint("owner");
    await expectStatus(200, token, "PATCH", `/admin/tokens/${id}`, { role: "viewer" });
    await expectStatus(403, token, "PATCH", `/admin/tokens/${id}`, { role: "owner" });
    await expectStatus(200, BOOTSTRAP_TOKEN, "PATCH", `/admin/tokens/${id}`, { role: "owner" });
    await expectStatus(200, token, "GET", "/admin/tokens");
  });

  test("a_role_must_fit_its_tenant_and_equal_settings_are_not_stored_again", async () => {
    const tenant = await createTenant();
    const { id, token } = await mint("owner");
    const before = await stack.rowCounts();
    const cases = [
      [{ name: "x" }, "missing_required_parameter", "role"],
      [{ name: "x", role: "admin" }, "invalid_type", "role"],
      [{ name: "x", role: "tenant_admin" }, "missing_required_parameter", "tenant_id"],
      [{ name: "x", role: "owner", tenant_id: tenant.id }, "invalid_value", "tenant_id"],
      [{ name: "x", role: "tenant_admin", tenant_id: "x" }, "invalid_type", "tenant_id"],
      [{ name: "x", role: "tenant_admin", tenant_id: `ten_${ULID}` }, "invalid_value", "tenant_id"],
    ];
    for (const [body, code, param] of cases) {
      const { error } = await expectStatus(400, token, "POST", "/admin/tokens", body);
      assert.deepEqual([error.code, error.param], [code, param], JSON.stringify(body));
      if (param === "role" && code === "missing_required_parameter") continue;
      const patched = await expectStatus(400, token, "PATCH", `/admin/tokens/${id}`, body);
      assert.deepEqual([patched.error.code, patched.error.param], [code, param], JSON.stringify(body));
    }
    await expectStatus(200, token, "PATCH", `/admin/tokens/${id}`, { role: "owner", name: "owner" });
    assert.deepEqual(await stack.rowCounts(), before);
  });

  test("the_tokens_of_a_deleted_tenant_are_revoked", async () => {
    const tenant = await createTenant();
    const { id, token } = await mint("tenant_admin", tenant.id);
    await expectStatus(200, null, "DELETE", `/admin/tenants/${tenant.id}`, {});
    await expectStatus(401, token, "GET", `/admin/tenants/${tenant.id}`);
    const { data } = await expectStatus(200, null, "GET", "/admin/tokens?limit=100");
    const listed = data.find((entry) => entry.id === id);
    if (listed) assert.deepEqual([listed.role, listed.tenant_id, typeof listed.revoked_at], ["tenant_admin", tenant.id, "number"]);
  });

  test("the_gateways_health_names_problems_to_viewers_and_not_to_tenant_admins", async () => {
    const tenant = await createTenant();
    for (const [role, sees] of [["viewer", true], ["owner", true], ["tenant_admin", false]]) {
      const { token } = await mint(role, tenant.id);
      const response = await fetch(`${stack.url}/health`, { headers: { authorization: `Bearer ${token}`, "cf-connecting-ip": `203.1.0.${ROLES.indexOf(role)}` } });
      assert.equal("problems" in (await response.json()), sees, role);
    }
  });
});
