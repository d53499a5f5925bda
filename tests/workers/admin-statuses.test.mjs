// Every route of the admin API with each of its response statuses. The list below is compared with the API's description, which is made from the router's table.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { assertEnvelope } from "../harness/client.mjs";
import { ADMIN } from "../harness/description.mjs";
import { unknownKey, withBadChecksum } from "../harness/keys.mjs";
import { BOOTSTRAP_TOKEN, startStack } from "../harness/stack.mjs";
import { PNG } from "../harness/widget.mjs";

const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const TENANT = "/admin/tenants/{id}";
const KEY = `${TENANT}/keys/{key}`;
const WIDGET = `${KEY}/widget`;
const SESSION = `${TENANT}/sessions/{session}`;
const validBody = { name: "x" };
const validToken = { name: "x", role: "owner" };
const publicBody = { name: "page", kind: "public", allowed_origins: ["https://example.org"] };

// Invalid queries of list routes: `[query, code, param]`.
const PAGED = [
  ["limit=0", "invalid_value", "limit"],
  ["limit=101", "invalid_value", "limit"],
  ["limit=2&limit=2", "invalid_value", "limit"],
  ["cursor=%20", "invalid_value", "cursor"],
];
const CURSOR_ONLY = [["cursor=%20", "invalid_value", "cursor"], ["limit=5", "unknown_parameter", "limit"]];
const PERIOD = [["from=x", "invalid_value", "from"], ["to=-1", "invalid_value", "to"]];

/**
 * - `body`: the body of a valid request; `{}` if it is optional.
 * - `ok`: the status of a valid request; `more`: the first status if the work takes several requests.
 * - `queries`, `bodies`: requests that are rejected with 400: `[query or body, code, param]`.
 * - `closing`: the status for a tenant that is being deleted. `versioned`: whether it supports `if-match`.
 */
const ROUTES = {
  "GET /admin/health": { ok: 200 },
  "GET /admin/openapi.json": { ok: 200, isDocument: true },
  "GET /admin/docs": { ok: 200, isDocument: true },
  "GET /admin/tenants": { ok: 200, queries: PAGED },
  "POST /admin/tenants": { ok: 201, body: validBody, bodies: [[{}, "missing_required_parameter", "name"]] },
  [`GET ${TENANT}`]: { ok: 200, closing: 200 },
  [`PUT ${TENANT}`]: { ok: 200, body: validBody, closing: 409, versioned: true, bodies: [[{}, "missing_required_parameter", "name"], [{ name: "x", tier: "gold" }, "invalid_type", "tier"]] },
  [`PATCH ${TENANT}`]: { ok: 200, body: validBody, closing: 409, versioned: true, bodies: [[{ name: null }, "missing_required_parameter", "name"], ["[]", "invalid_type", null]] },
  [`DELETE ${TENANT}`]: { ok: 200, body: {}, more: 202, closing: 200, versioned: true },
  [`GET ${TENANT}/usage`]: { ok: 200, closing: 200, queries: [...PERIOD, ["format=xml", "invalid_value", "format"]] },
  [`GET ${TENANT}/sessions`]: { ok: 200, closing: 200, queries: PAGED },
  [`GET ${SESSION}`]: { ok: 200, closing: 200 },
  [`GET ${SESSION}/messages`]: { ok: 200, closing: 200, queries: PAGED },
  [`GET ${TENANT}/export`]: { ok: 200, closing: 200, queries: CURSOR_ONLY },
  [`POST ${TENANT}/erase`]: { ok: 200, body: {}, more: 202, closing: 409, queries: CURSOR_ONLY },
  "GET /admin/usage": { ok: 200, queries: [...PAGED, ...PERIOD] },
  [`GET ${TENANT}/keys`]: { ok: 200, closing: 200, queries: PAGED },
  [`POST ${TENANT}/keys`]: { ok: 201, body: { name: "x", scopes: ["chat"] }, closing: 409, bodies: [[validBody, "missing_required_parameter", "scopes"], [{ name: "x", scopes: ["admin"] }, "invalid_type", "scopes[0]"]] },
  [`GET ${KEY}`]: { ok: 200, closing: 200 },
  [`PATCH ${KEY}`]: { ok: 200, body: validBody, closing: 409, bodies: [[{ name: null }, "missing_required_parameter", "name"], [{ limits: { burst: 1 } }, "missing_required_parameter", "limits.requests_per_minute"], ["[]", "invalid_type", null]] },
  [`POST ${KEY}/rotate`]: { ok: 201, body: {}, closing: 409, bodies: [[{ grace_seconds: -1 }, "invalid_type", "grace_seconds"]] },
  [`POST ${KEY}/revoke`]: { ok: 200, body: {}, closing: 200 },
  [`GET ${WIDGET}`]: { ok: 200, closing: 200 },
  [`PATCH ${WIDGET}`]: { ok: 200, body: { title: "x" }, closing: 409, bodies: [[{ title: "" }, "invalid_value", "title"], [{ colours: { accent: "red" } }, "invalid_value", "colours.accent"], ["[]", "invalid_type", null]] },
  [`PUT ${WIDGET}/logo`]: { ok: 200, body: { image: PNG }, closing: 409, bodies: [[{}, "missing_required_parameter", "image"], [{ image: "PHN2Zz4=" }, "invalid_value", "image"]] },
  [`DELETE ${WIDGET}/logo`]: { ok: 200, closing: 409 },
  "GET /admin/tokens": { ok: 200, queries: PAGED },
  "POST /admin/tokens": { ok: 201, body: validToken, bodies: [[{}, "missing_required_parameter", "name"], [validBody, "missing_required_parameter", "role"], [{ ...validToken, expires_at: 1 }, "invalid_value", "expires_at"]] },
  "PATCH /admin/tokens/{id}": { ok: 200, body: validBody, bodies: [[{ name: null }, "missing_required_parameter", "name"], [{ role: "admin" }, "invalid_type", "role"], ["[]", "invalid_type", null]] },
  "POST /admin/tokens/{id}/revoke": { ok: 200, body: {} },
  "GET /admin/audit": { ok: 200, queries: PAGED },
};
const ALL = Object.entries(ROUTES).map(([name, row]) => {
  const [method, pattern] = name.split(" ");
  return { name, method, pattern, scope: pattern.startsWith(TENANT) ? "tenant" : "global", ...row };
});

let stack;
before(async () => (stack = await startStack({ tenants: 2 })));
after(() => stack.stop());

let addresses = 0;
let token;
let uses = 0;

/** Calls the admin API from a new address and with a fresh token per 200 calls, because rate limits apply to both. */
async function callAdmin(method, target, body, { token: explicit, headers = {} } = {}) {
  if (explicit === undefined && uses++ % 200 === 0) {
    const minted = await stack.admin("POST", "/tokens", validToken, { headers: newAddress() });
    assert.equal(minted.status, 201, JSON.stringify(minted.body));
    token = minted.body.token;
  }
  return stack.admin(method, target.slice("/admin".length), body, { token: explicit === undefined ? token : explicit, headers: { ...newAddress(), ...headers } });
}

function newAddress() {
  addresses += 1;
  return { "cf-connecting-ip": `198.51.${addresses >> 8}.${addresses & 255}` };
}

async function expectStatus(status, ...request) {
  const response = await callAdmin(...request);
  assert.equal(response.status, status, `${request[0]} ${request[1]}: ${JSON.stringify(response.body)}`);
  assert.match(response.headers.get("x-request-id"), /^req_/);
  return response;
}

async function expectRejected(status, { code, param }, ...request) {
  const { body, headers } = await expectStatus(status, ...request);
  assertEnvelope(body);
  assert.equal(body.error.code, code, `${request[0]} ${request[1]}: ${JSON.stringify(body)}`);
  if (param !== undefined) assert.equal(body.error.param, param, `${request[0]} ${request[1]}: ${JSON.stringify(body)}`);
  return headers;
}

/** Creates a tenant with a key, a public key and a session, and a token; returns their ids: `{ id, key, page, session, token }`. */
async function createResources() {
  const { body: tenant } = await expectStatus(201, "POST", "/admin/tenants", validBody);
  const { body: key } = await expectStatus(201, "POST", `/admin/tenants/${tenant.id}/keys`, { name: "x", scopes: ["chat"] });
  const { body: page } = await expectStatus(201, "POST", `/admin/tenants/${tenant.id}/keys`, publicBody);
  const { body: minted } = await expectStatus(201, "POST", "/admin/tokens", validToken);
  await stack.rows("INSERT INTO sessions (tenant_id, id, created_at, updated_at) VALUES (?1, 'one', 1, 1)", tenant.id);
  return { id: tenant.id, key: key.id, page: page.id, session: "one", token: minted.id };
}

/** Adds more sessions to a tenant than one request deletes. */
async function addManySessions(id) {
  await stack.rows(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4500)
     INSERT INTO sessions (tenant_id, id, created_at, updated_at) SELECT ?1, 's' || i, 1, 1 FROM n`,
    id,
  );
}

/** The path of a route's pattern with these ids. */
function pathFor({ pattern, scope }, ids) {
  const id = scope === "tenant" ? ids.id : ids.token;
  const key = pattern.includes("/widget") ? ids.page : ids.key;
  return pattern.replace("{id}", id).replace("{key}", key).replace("{session}", ids.session);
}

/** Runs `use` and asserts that it stores nothing, except in the table `except`. */
async function assertUnchanged(use, { except } = {}) {
  const rows = async () => {
    const [{ lines }] = await stack.rows("SELECT count(*) AS lines FROM audit_log WHERE action != 'token.mint'");
    // `callAdmin` creates tokens itself.
    return { ...(await stack.rowCounts()), admin_tokens: undefined, audit_log: lines, ...(except ? { [except]: undefined } : {}) };
  };
  const before = await rows();
  await use();
  assert.deepEqual(await rows(), before, "nothing was stored");
}

test("the_list_matches_the_description", () => {
  const described = ADMIN.operations.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(Object.keys(ROUTES).sort(), described.sort());
});

describe("200, 201 and 202", () => {
  for (const route of ALL) {
    test(`${route.ok}_${route.name}`, async () => {
      const ids = await createResources();
      const url = pathFor(route, ids);
      let cursor = "";
      if (route.more) {
        if (route.method === "DELETE") await addManySessions(ids.id);
        const { body } = await expectStatus(route.more, route.method, url, route.body);
        if (body.next_cursor) cursor = `?cursor=${encodeURIComponent(body.next_cursor)}`;
      }
      const { body } = await expectStatus(route.ok, route.method, `${url}${cursor}`, route.body);
      const isList = route.queries !== undefined && route.method === "GET" && !(route.scope === "tenant" && route.pattern.endsWith("/usage"));
      if (route.isDocument) return;
      assert.equal(typeof body.object, "string");
      if (isList) assert.deepEqual(Object.keys(body), ["object", "data", "has_more", "next_cursor"]);
    });
  }
});

describe("400", () => {
  for (const route of ALL) {
    test(`400_${route.name}`, async () => {
      const ids = await createResources();
      const url = pathFor(route, ids);
      const cases = [["unknown=1", "unknown_parameter", "unknown"], ...(route.queries ?? [])];
      await assertUnchanged(async () => {
        for (const [query, code, param] of cases) await expectRejected(400, { code, param }, route.method, `${url}?${query}`, route.body);
        if (route.body === undefined) return;
        const identity = route.pattern.startsWith("/admin/tokens") ? "key_id" : "tenant_id";
        const bodies = [[{ ...route.body, [identity]: ids.id }, "unknown_parameter", identity], ["{", "invalid_json", null], ...(route.bodies ?? [])];
        for (const [body, code, param] of bodies) await expectRejected(400, { code, param }, route.method, url, body);
      });
    });
  }
});

describe("401 and 403", () => {
  let publicKey;
  before(async () => {
    publicKey = (await expectStatus(201, "POST", `/admin/tenants/${stack.tenants[0].tenant_id}/keys`, publicBody)).body.key;
  });

  for (const route of ALL) {
    test(`401_and_403_${route.name}`, async () => {
      const ids = await createResources();
      const ended = (await expectStatus(201, "POST", "/admin/tokens", validToken)).body;
      await expectStatus(200, "POST", `/admin/tokens/${ended.id}/revoke`);
      await assertUnchanged(async () => {
        const args = [route.method, pathFor(route, ids), route.body];
        await expectRejected(401, { code: "missing_api_key" }, ...args, { token: null });
        for (const wrong of [unknownKey("cl_at_"), withBadChecksum(stack.adminToken), `${BOOTSTRAP_TOKEN}x`, ended.token, publicKey]) {
          await expectRejected(401, { code: "invalid_api_key" }, ...args, { token: wrong });
        }
        await expectRejected(403, { code: "permission_denied" }, ...args, { token: stack.key });
      });
    });
  }
});

describe("404", () => {
  let foreign;
  before(async () => {
    foreign = await createResources();
    await stack.rows("INSERT INTO sessions (tenant_id, id, created_at, updated_at) VALUES (?1, 'theirs', 1, 1)", foreign.id);
  });

  for (const route of ALL.filter(({ pattern }) => pattern.includes("{"))) {
    test(`404_${route.name}`, async () => {
      const own = await createResources();
      const wrong = [{ id: `ten_${ULID}`, token: `adm_${ULID}` }, { id: "unknown", token: "unknown" }];
      if (route.pattern.includes("{key}")) wrong.push({ key: `key_${ULID}`, page: `key_${ULID}` }, { key: "nothing", page: "nothing" }, { key: foreign.key, page: foreign.page });
      if (route.pattern.includes("{session}")) wrong.push({ session: "unknown" }, { session: "%0A" }, { session: "theirs" });
      // Reads are recorded in the audit log before they are executed.
      await assertUnchanged(async () => {
        for (const ids of wrong) await expectRejected(404, { code: "resource_not_found" }, route.method, pathFor(route, { ...own, ...ids }), route.body);
      }, { except: "audit_log" });
    });
  }
});

test("404_for_the_log_of_an_invalid_tenant_id_and_200_for_the_log_of_a_deleted_tenant", async () => {
  await expectRejected(404, { code: "resource_not_found" }, "GET", "/admin/audit?tenant_id=unknown");
  assert.deepEqual((await expectStatus(200, "GET", `/admin/audit?tenant_id=ten_${ULID}`)).body.data, []);
});

describe("405", () => {
  for (const pattern of new Set(ALL.map((route) => route.pattern))) {
    test(`405_${pattern}`, async () => {
      const taken = ALL.filter((route) => route.pattern === pattern);
      const methods = taken.map(({ method }) => method);
      const url = pathFor(taken[0], await createResources());
      await assertUnchanged(async () => {
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((method) => !methods.includes(method))) {
          const headers = await expectRejected(405, { code: "method_not_allowed" }, method, url, method === "GET" ? undefined : {});
          assert.deepEqual(headers.get("allow").split(", ").sort(), [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].sort());
        }
      });
    });
  }
});

describe("409", () => {
  for (const route of ALL.filter(({ closing }) => closing !== undefined)) {
    test(`${route.closing}_for_a_tenant_that_is_being_deleted_${route.name}`, async () => {
      const ids = await createResources();
      await stack.rows("UPDATE tenants SET status = 'deleting' WHERE id = ?1", ids.id);
      const args = [route.method, pathFor(route, ids), route.body];
      if (route.closing === 409) await assertUnchanged(() => expectRejected(409, { code: "conflict" }, ...args));
      else await expectStatus(route.closing, ...args);
    });
  }

  test("409_for_rotating_a_revoked_key_and_200_for_revoking_it_again", async () => {
    const ids = await createResources();
    const key = `/admin/tenants/${ids.id}/keys/${ids.key}`;
    await expectStatus(200, "POST", `${key}/revoke`);
    await expectRejected(409, { code: "conflict" }, "POST", `${key}/rotate`, {});
    await expectStatus(200, "POST", `${key}/revoke`);
  });
});

describe("412", () => {
  for (const route of ALL.filter(({ versioned }) => versioned)) {
    test(`412_${route.name}`, async () => {
      const ids = await createResources();
      const args = [route.method, pathFor(route, ids), route.body];
      await assertUnchanged(async () => {
        for (const tag of ['"2"', "1", 'W/"1"']) await expectRejected(412, { code: "precondition_failed" }, ...args, { headers: { "if-match": tag } });
      });
      await expectStatus(200, ...args, { headers: { "if-match": '"7", "1"' } });
    });
  }

  test("a_started_deletion_ignores_if_match_so_that_the_same_request_continues_it", async () => {
    const ids = await createResources();
    await addManySessions(ids.id);
    const args = ["DELETE", `/admin/tenants/${ids.id}`, undefined, { headers: { "if-match": '"1"' } }];
    await expectStatus(202, ...args);
    await expectStatus(200, ...args);
  });
});

test("429_on_every_route_for_an_address_over_its_limit_before_the_token_is_checked", async () => {
  const ids = await createResources();
  const headers = newAddress();
  const wrong = unknownKey("cl_at_");
  await assertUnchanged(async () => {
    for (const route of ALL) {
      // An invalid token: a request that passes in a new minute has no effect, and is repeated.
      let response;
      for (let count = 0; count < 620 && response?.status !== 429; count += 1) {
        response = await callAdmin(route.method, pathFor(route, ids), route.body, { token: wrong, headers });
        assert.ok([401, 429].includes(response.status), `${route.name}: ${response.status}`);
      }
      assert.deepEqual([response.status, response.body.error.code, response.headers.get("retry-after")], [429, "rate_limit_exceeded", "60"], route.name);
    }
  });
});
