// Attacks 8, 13 to 17, 21 and 30 on the session routes: no access to sessions of other tenants.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack, ours, theirs;
before(async () => {
  stack = await startStack({ tenants: 2 });
  [ours, theirs] = stack.tenants.map((tenant) => tenant.secret_key);
});
after(() => stack.stop());

function call(key, method, path, body) {
  return fetch(`${stack.url}/v1/sessions${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function ok(...request) {
  const response = await call(...request);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** A response without the headers that differ between any two requests. */
async function comparable(response) {
  const volatile = ["x-request-id", "date", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
  const headers = [...response.headers].filter(([name]) => !volatile.includes(name));
  return { status: response.status, headers, body: await response.text() };
}

/** Creates a session of the other tenant with one message; returns both ids. */
async function createForeignSession(fields = {}) {
  const { id } = await ok(theirs, "POST", "", { title: "secret title", metadata: { project: "secret" }, ...fields });
  await complete(stack, { messages: [{ role: "user", content: "secret words" }] }, { key: theirs, headers: { "x-session-id": id } });
  const { data } = await ok(theirs, "GET", `/${id}/messages`);
  return { id, message: data[0].id };
}

const RANDOM = "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const routes = (message) => [
  ["GET", ""],
  ["PATCH", "", { title: "mine" }],
  ["DELETE", ""],
  ["POST", "/reset"],
  ["GET", "/export"],
  ["GET", "/messages"],
  ["GET", `/messages?after=${message}`],
  ["DELETE", `/messages/${message}`],
  ["GET", "/turns/req_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
];

test("attack_14_a_foreign_session_is_indistinguishable_from_an_unknown_one_and_is_unchanged", async () => {
  const { id, message } = await createForeignSession();
  // The receipt of the earlier chat is written later.
  const all = async () => [await ok(theirs, "GET", `/${id}`), await ok(theirs, "GET", `/${id}/messages`), { ...(await stack.rowCounts()), receipts: undefined }];
  const before = await all();
  for (const [method, path, body] of routes(message)) {
    const foreign = await comparable(await call(ours, method, `/${id}${path}`, body));
    assert.equal(foreign.status, 404, `${method} ${path}: ${foreign.body}`);
    assert.deepEqual(await comparable(await call(ours, method, `/${RANDOM}${path}`, body)), foreign, `${method} ${path}`);
    assert.ok(!foreign.body.includes(id));
  }
  const chat = (session) =>
    fetch(`${stack.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${ours}`, "content-type": "application/json", "x-session-id": session },
      body: JSON.stringify({ model: "scripted-model", messages: [{ role: "user", content: "hello" }] }),
    });
  const foreign = await comparable(await chat(id));
  assert.equal(foreign.status, 404);
  assert.deepEqual(await comparable(await chat(RANDOM)), foreign);
  assert.deepEqual(await all(), before);
});

test("attack_14_a_shared_name_is_two_sessions", async () => {
  const name = "a-shared-name";
  await ok(theirs, "POST", "", { id: name, title: "theirs" });
  assert.equal((await call(ours, "GET", `/${name}`)).status, 404);
  assert.equal((await ok(ours, "POST", "", { id: name, title: "ours" })).title, "ours");
  await ok(ours, "DELETE", `/${name}`);
  assert.equal((await ok(theirs, "GET", `/${name}`)).title, "theirs");
});

test("attack_14_a_message_of_another_session_is_not_found", async () => {
  const { message } = await createForeignSession();
  const { id } = await ok(ours, "POST", "", {});
  await expectError(await call(ours, "DELETE", `/${id}/messages/${message}`), 404);
  await expectError(await call(ours, "GET", `/${id}/messages?before=${message}`), 400, { param: "before" });
});

test("attack_15_a_filter_returns_own_rows_only", async () => {
  await createForeignSession();
  const tenant = stack.tenants[1].tenant_id;
  await expectError(await call(ours, "GET", `?tenant_id=${tenant}`), 400, { code: "unknown_parameter", param: "tenant_id" });
  for (const query of ["title=secret", "metadata[project]=secret", `metadata[tenant_id]=${tenant}`, "title=%25", `title=${encodeURIComponent("' OR '1'='1")}`])
    assert.deepEqual((await ok(ours, "GET", `?${query}`)).data, [], query);
});

describe("cursors", () => {
  let cursor;
  before(async () => {
    for (let index = 0; index < 3; index += 1) await ok(theirs, "POST", "", { title: "listed", metadata: { list: "cursors" } });
    for (let index = 0; index < 3; index += 1) await ok(ours, "POST", "", { title: "listed", metadata: { list: "cursors" } });
    cursor = (await ok(theirs, "GET", "?title=listed&limit=1")).next_cursor;
    assert.equal((await ok(theirs, "GET", `?title=listed&limit=1&cursor=${cursor}`)).data.length, 1);
  });
  const cursorError = async (key, query) => (await expectError(await call(key, "GET", query), 400, { code: "invalid_value", param: "cursor" })).message;

  test("attack_16_a_cursor_is_valid_only_for_its_tenant_list_and_filter", async () => {
    const { id } = await ok(theirs, "POST", "", {});
    const messages = new Set([
      await cursorError(ours, `?title=listed&limit=1&cursor=${cursor}`),
      await cursorError(theirs, `?limit=1&cursor=${cursor}`),
      await cursorError(theirs, `?title=Listed&cursor=${cursor}`),
      await cursorError(theirs, `?title=listed&metadata[list]=cursors&cursor=${cursor}`),
      await cursorError(theirs, `/${id}/messages?cursor=${cursor}`),
      await cursorError(theirs, `?title=listed&cursor=nothing`),
    ]);
    assert.equal(messages.size, 1, "all errors have the same message");
  });

  test("attack_17_a_changed_cursor_is_rejected", async () => {
    for (let at = 0; at < cursor.length; at += 7) {
      const changed = cursor.slice(0, at) + (cursor[at] === "A" ? "B" : "A") + cursor.slice(at + 1);
      await cursorError(theirs, `?title=listed&limit=1&cursor=${changed}`);
    }
    for (const wrong of [`${cursor}A`, cursor.slice(1), "", "%00", "A".repeat(5000)]) await cursorError(theirs, `?title=listed&cursor=${wrong}`);
  });
});

test("attack_8_a_key_without_the_scope_neither_reads_nor_writes", async () => {
  const tenant = stack.tenants[0].tenant_id;
  const { key } = await stack.addKey(tenant); // has the scope `chat` only
  const { id } = await ok(ours, "POST", "", {});
  for (const [method, path, body] of [...routes("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV").slice(0, 8)]) await expectError(await call(key, method, `/${id}${path}`, body), 403, { code: "permission_denied" });
  await expectError(await call(key, "GET", ""), 403);
  await expectError(await call(key, "POST", "", {}), 403);
});

test("attack_8_a_key_that_may_read_cannot_write_and_one_that_may_write_cannot_read", async () => {
  const tenant = stack.tenants[0].tenant_id;
  const [reader, writer] = [await stack.addKey(tenant), await stack.addKey(tenant)];
  for (const [{ keyId }, scope] of [[reader, "sessions:read"], [writer, "sessions:write"]]) await stack.rows("UPDATE api_keys SET scopes = ?1 WHERE id = ?2", JSON.stringify([scope]), keyId);
  const { id } = await ok(ours, "POST", "", { title: "ours" });
  const rows = async () => ({ ...(await stack.rowCounts()), receipts: undefined });
  const before = [await rows(), await ok(reader.key, "GET", `/${id}`)];
  for (const [method, path, body] of routes("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV").slice(0, 8)) {
    const { key } = method === "GET" ? writer : reader;
    const error = await expectError(await call(key, method, `/${id}${path}`, body), 403, { code: "permission_denied" });
    assert.ok(error.message.includes(method === "GET" ? "sessions:read" : "sessions:write"), error.message);
  }
  await expectError(await call(reader.key, "POST", "", {}), 403);
  await expectError(await postChat(stack, chatBody(), { key: reader.key }), 403);
  assert.deepEqual([await rows(), await ok(reader.key, "GET", `/${id}`)], before);
});

test("attack_13_an_identity_or_a_limit_in_a_sessions_body_is_rejected_by_name_and_nothing_changes", async () => {
  const { id } = await ok(ours, "POST", "", { title: "ours" });
  const rows = async () => ({ ...(await stack.rowCounts()), receipts: undefined });
  const before = [await rows(), await ok(ours, "GET", `/${id}`)];
  for (const name of ["tenant_id", "role", "quota", "limits", "key_id", "scopes"]) {
    const body = { title: "theirs", [name]: stack.tenants[1].tenant_id };
    await expectError(await call(ours, "POST", "", body), 400, { code: "unknown_parameter", param: name });
    await expectError(await call(ours, "PATCH", `/${id}`, body), 400, { code: "unknown_parameter", param: name });
  }
  assert.deepEqual([await rows(), await ok(ours, "GET", `/${id}`)], before);
});

test("attack_21_private_responses_are_not_cached", async () => {
  const { id } = await ok(ours, "POST", "", { title: "private" });
  for (const path of ["", `/${id}`, `/${id}/messages`, `/${id}/export`, "/never-made", "?limit=0"]) {
    const response = await call(ours, "GET", path);
    await response.text();
    assert.equal(response.headers.get("cache-control"), "no-store", path);
  }
});

test("attack_30_ids_titles_and_labels_are_plain_text", async () => {
  const bodies = ['{"title":"a\\u0000b"}', '{"title":"\\ud800"}', '{"metadata":{"a":"\\u0000"}}', '{"metadata":{"\\udfff":"a"}}', '{"id":"a\\u0000"}', `{"id":"${"x".repeat(129)}"}`, '{"id":"a/b"}', '{"id":"a\\r\\nx-evil: 1"}'];
  // Receipts of earlier turns may still be written.
  const rows = async () => ({ ...(await stack.rowCounts()), receipts: undefined });
  const before = await rows();
  for (const body of bodies) await expectError(await call(ours, "POST", "", body), 400);
  for (const id of ["%00", "a%00b", "a%0d%0ax-evil:%201", "%ff", "a%2fb", "x".repeat(129), "%F0%9F%98%80"]) {
    for (const [method, path, body] of routes("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV").slice(0, 8)) {
      const response = await call(ours, method, `/${id}${path}`, body);
      assert.equal(response.headers.get("x-evil"), null);
      await expectError(response, 400, { param: "session_id" });
    }
  }
  for (const query of ["title=%00", "metadata[a]=%00", "metadata[%00]=a"]) await expectError(await call(ours, "GET", `?${query}`), 400);
  assert.deepEqual(await rows(), before);
});
