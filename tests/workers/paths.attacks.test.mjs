// Attack 62: session names and paths that URL parsers fold into others.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chatBody, expectError, postChat } from "../harness/client.mjs";
import { exchange } from "../harness/raw-http.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());

/** Sends a request line as it is, which `fetch` would fold. */
const send = (method, target, token = stack.key) => exchange(stack.url, `${method} ${target} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${token}`, []);

test("attack 62: a_session_name_that_urls_fold_is_400_by_its_field_wherever_it_is_named", async () => {
  const before = await stack.rowCounts();
  for (const name of [".", "..", "%2e", ".%2E", "a/b", "a\\b", "a?b", "a#b", "a b", "a\u0001", "a\tb"]) {
    const create = await fetch(`${stack.url}/v1/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" },
      body: JSON.stringify({ id: name }),
    });
    const { message } = await expectError(create, 400, { code: "invalid_value", param: "id" });
    assert.match(message, /A-Z a-z 0-9 _ - \. :, but not \. or \.\./);
    await expectError(await postChat(stack, chatBody({ session_id: name })), 400, { code: "invalid_value", param: "session_id" });
    if (!/[\u0000-\u001f]/.test(name)) {
      await expectError(await postChat(stack, chatBody(), { headers: { "x-session-id": name } }), 400, { code: "invalid_value", param: "x-session-id" });
    }
  }
  for (const name of ["%2e%2e", "..", "%2E", "."]) {
    const routes = [["GET", ""], ["DELETE", ""], ["POST", "/reset"], ["GET", "/export"], ["GET", "/messages"], ["GET", "/tool_executions"], ["GET", "/turns/req_01ARZ3NDEKTSV4RRFFQ69G5FAV"]];
    for (const [method, tail] of routes) {
      const { status, text } = await send(method, `/v1/sessions/${name}${tail}`);
      assert.equal(status, 400, `${method} ${name}${tail}: ${text}`);
      assert.equal(JSON.parse(text).error.param, "session_id");
    }
  }
  const { receipts: _now, ...stored } = await stack.rowCounts();
  const { receipts: _before, ...storedBefore } = before;
  assert.deepEqual(stored, storedBefore);
  assert.equal(stack.upstream.requests.length, 0);
});

test("attack 62: a_folded_path_reaches_no_other_route", async () => {
  for (const target of [
    "/v1/sessions/../models",
    "/v1/sessions/%2e%2e/models",
    "/v1/sessions/.%2E/models",
    "/v1\\models",
    "/\\v1\\models",
    "/./v1/models",
    "/%2e/v1/models",
    "/v1/./models",
    "/v1/models/../sessions",
    "/v1/models/%2e%2e/sessions",
    "/v1/models/..\\sessions",
    "/v1/models/.",
    "/health/..",
    "/../health",
    "/admin/../v1/models",
    "/admin/../health",
    "/admin/%2e%2e/health",
    "/admin/./tenants",
    "/admin/tenants/..",
    "/admin\\tenants",
    "/admin/x/..\\..\\health",
    "/widget/../health",
    "/widget/%2E%2e/health",
  ]) {
    for (const token of [stack.key, stack.adminToken]) {
      const { status, text } = await send("GET", target, token);
      assert.equal(status, 404, `${target}: ${text}`);
      assert.equal(JSON.parse(text).error.code, "route_not_found", target);
    }
  }
  assert.equal((await send("GET", "/v1/models")).status, 200);
  assert.equal((await send("GET", "/admin/tenants", stack.adminToken)).status, 200);
});

test("attack 62: names_with_dots_that_urls_keep_are_sessions", async () => {
  for (const name of ["...", ".a", "a..b", "..:", "ses_.."]) {
    const create = await fetch(`${stack.url}/v1/sessions`, {
      method: "POST",
      headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" },
      body: JSON.stringify({ id: name }),
    });
    assert.equal(create.status, 200, await create.text());
    const shown = await fetch(new URL(`${stack.url}/v1/sessions/${encodeURIComponent(name)}`), { headers: { authorization: `Bearer ${stack.key}` } });
    assert.equal((await shown.json()).id, name);
  }
});

test("attack 62: a_session_stored_under_such_a_name_earlier_does_not_break_the_list", async () => {
  const tenant = stack.tenants[0].tenant_id;
  for (const name of [".", ".."]) await stack.rows("INSERT INTO sessions (tenant_id, id, head, created_at, updated_at) VALUES (?1, ?2, 0, 1, 1)", tenant, name);
  const seen = [];
  for (let cursor = ""; cursor !== undefined; ) {
    const response = await fetch(`${stack.url}/v1/sessions?limit=1${cursor}`, { headers: { authorization: `Bearer ${stack.key}` } });
    const page = await response.json();
    assert.equal(response.status, 200, JSON.stringify(page));
    seen.push(...page.data.map(({ id }) => id));
    cursor = page.has_more ? `&cursor=${encodeURIComponent(page.next_cursor)}` : undefined;
  }
  assert.ok(seen.includes(".") && seen.includes(".."), seen.join(" "));
});
