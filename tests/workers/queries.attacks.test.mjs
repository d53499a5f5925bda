// Attack 68: parameters of the query that a route does not have, or that are repeated. The routes are read from the
// API's description, so a new one is covered.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { chatBody, complete, expectError, MODEL } from "../harness/client.mjs";
import * as descriptions from "../harness/description.mjs";
import { expectMessageError } from "../harness/messages-client.mjs";
import { startStack } from "../harness/stack.mjs";
import { SITE, createSite, newAddress } from "../harness/widget.mjs";
import { until } from "../harness/wait.mjs";

const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/** The routes of a description: `{ name, method, pattern, declared }`. */
const routesOf = ({ operations }) =>
  operations.map(({ method, pattern, operation }) => {
    const inQuery = (operation.parameters ?? []).filter((parameter) => parameter.in === "query");
    const declared = inQuery.map(({ name, style }) => (style === "deepObject" ? `${name}[]` : name));
    return { name: `${method} ${pattern}`, method, pattern, declared };
  });

const GATEWAY = routesOf(descriptions.GATEWAY);
const ADMIN = routesOf(descriptions.ADMIN);
const PUBLIC = ["/health", "/docs", "/openapi.json"];

let stack;
let session;
let site;
/** The admin API counts requests by address. */
let address;
beforeEach(() => (address = newAddress()));
before(async () => {
  stack = await startStack();
  site = await createSite(stack);
  const { response } = await complete(stack, { session_id: "one" });
  session = { id: "one", request: response.headers.get("x-request-id") };
  stack.upstream.reset();
  // The ledger writes the receipt later; the tests compare numbers of rows.
  await until(async () => (await stack.rowCounts()).receipts === 1, "the receipt is stored");
});
after(() => stack.stop());

function urlOf({ pattern }) {
  const id = pattern.startsWith("/admin/tenants") ? stack.tenants[0].tenant_id : pattern.startsWith("/admin/tokens") ? `adm_${ULID}` : pattern.startsWith("/v1/models") ? MODEL : session.id;
  const ids = { id, "id…": id, session: session.id, key: `key_${ULID}`, message_id: `msg_${ULID}`, request_id: session.request };
  return stack.url + pattern.replace(/\{([^}]+)\}/g, (_, name) => ids[name]);
}

const keyFor = ({ pattern }) => (pattern.startsWith("/admin/") ? stack.adminToken : pattern === "/v1/widget/session" ? site.key : stack.key);

function send(route, query, { method = route.method, key = keyFor(route) } = {}) {
  const hasBody = !["GET", "HEAD"].includes(method);
  return fetch(`${urlOf(route)}?${query}`, {
    method,
    headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(hasBody ? { "content-type": "application/json" } : {}), origin: SITE, ...address },
    body: !hasBody ? undefined : route.pattern === "/v1/chat/completions" ? JSON.stringify(chatBody()) : "{}",
  });
}

/** The same name with its first character percent-encoded. */
const escaped = (name) => `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`;

/** Checks an error in the envelope of the route's surface. */
async function expectRefusal(route, response, status, expected) {
  if (!route.pattern.startsWith("/v1/messages")) return expectError(response, status, expected);
  const error = await expectMessageError(response, status, status === 401 ? "authentication_error" : "invalid_request_error");
  if (expected.param) assert.ok(error.message.includes(expected.param), error.message);
  return error;
}

/** Runs `use`; nothing may be stored and no model called. */
async function assertNothingDone(use) {
  const before = await stack.rowCounts();
  await use();
  assert.deepEqual(await stack.rowCounts(), before);
  assert.equal(stack.upstream.requests.length, 0);
}

test("the_descriptions_are_read", () => {
  assert.ok(GATEWAY.length >= 16 && ADMIN.length >= 24, `${GATEWAY.length} and ${ADMIN.length} routes`);
  assert.deepEqual(GATEWAY.find(({ name }) => name === "GET /v1/sessions").declared, ["limit", "cursor", "title", "metadata[]", "created_after", "created_before"]);
});

describe("attack 68", () => {
  for (const route of [...GATEWAY, ...ADMIN]) {
    test(`an_unknown_or_repeated_parameter_is_400_before_anything_is_done_${route.name}`, async () => {
      await assertNothingDone(async () => {
        const valid = route.declared.filter((name) => name !== "cursor").map((name) => `${name.replace("[]", "[a]")}=1`);
        const unknown = ["no_such=1", "no_such", "no_such=1&no_such=2", [...valid, "no_such=1"].join("&"), `no_such=1&${valid.join("&")}`];
        for (const query of unknown) await expectRefusal(route, await send(route, query), 400, { code: "unknown_parameter", param: "no_such" });
        for (const declared of route.declared) {
          const name = declared.replace("[]", "[a]");
          for (const query of [`${name}=1&${name}=1`, `${name}=1&${escaped(name)}=2`]) {
            await expectRefusal(route, await send(route, query), 400, { code: "invalid_value", param: name });
          }
          await expectRefusal(route, await send(route, `${declared.replace("[]", "").toUpperCase()}=1`), 400, { code: "unknown_parameter" });
        }
        if (route.method === "GET") assert.equal((await send(route, "no_such=1", { method: "HEAD" })).status, 400);
      });
    });
  }

  test("a_key_is_checked_first_and_a_rejected_request_counts", async () => {
    await assertNothingDone(async () => {
      for (const route of [...GATEWAY, ...ADMIN].filter(({ pattern }) => !PUBLIC.includes(pattern))) {
        for (const query of ["no_such=1", `api_key=${stack.key}`, `${stack.key}=1`]) {
          await expectRefusal(route, await send(route, query, { key: null }), 401, { code: "missing_api_key" });
        }
      }
      for (const route of GATEWAY.filter(({ pattern }) => pattern.startsWith("/v1/"))) {
        const [started, first, second] = [Date.now(), await send(route, "no_such=1"), await send(route, "no_such=1")];
        const remaining = (response) => Number(response.headers.get("x-ratelimit-remaining-requests"));
        const limit = Number(first.headers.get("x-ratelimit-limit-requests"));
        assert.ok(limit > 0, route.name);
        // The bucket is refilled meanwhile.
        const refilled = Math.floor(((Date.now() - started) / 60_000) * limit);
        assert.ok(remaining(second) <= remaining(first) + refilled, `${route.name}: ${remaining(first)}, then ${remaining(second)}`);
      }
    });
  });

  test("a_key_as_the_name_of_a_parameter_is_in_no_answer_and_no_log", async () => {
    for (const pattern of ["/health", "/v1/models", "/v1/chat/completions"]) {
      const route = GATEWAY.find((line) => line.pattern === pattern);
      const { message, param } = await expectError(await send(route, `${stack.key}=1`), 400, { code: "unknown_parameter" });
      assert.ok(!`${message} ${param}`.includes(stack.key));
    }
    assert.ok(!JSON.stringify(stack.logs).includes(stack.key));
  });

  test("a_preflight_with_a_query_succeeds_and_an_unknown_route_stays_404", async () => {
    const preflight = await fetch(`${stack.url}/v1/models?no_such=1`, { method: "OPTIONS" });
    assert.equal(preflight.status, 204);
    await expectError(await fetch(`${stack.url}/nothing?no_such=1`), 404);
  });
});
