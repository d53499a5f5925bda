// GET /v1/usage: a tenant reads its own usage with a key that has the scope `usage:read`.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complete, expectError, MODEL } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
let reader;
before(async () => {
  stack = await startStack({ tenants: 2 });
  const { body } = await stack.admin("POST", `/tenants/${stack.tenants[0].tenant_id}/keys`, { name: "reports", scopes: ["usage:read"] });
  reader = body.key;
  for (let call = 0; call < 3; call += 1) await complete(stack, {});
  await complete(stack, {}, { key: stack.tenants[1].secret_key });
  await stack.receipts(stack.tenants[0].tenant_id, 3);
  await stack.receipts(stack.tenants[1].tenant_id, 1);
});
after(() => stack.stop());

const get = (query = "", { key = reader, accept } = {}) => fetch(`${stack.url}/v1/usage${query}`, { headers: { authorization: `Bearer ${key}`, ...(accept ? { accept } : {}) } });

test("the_sums_are_those_of_the_tenants_own_receipts_by_day_model_and_key", async () => {
  const response = await get();
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  assert.equal(body.object, "usage");
  const [{ day, tokens, micro_dollars }] = await stack.rows(
    "SELECT date(min(closed_at) / 1000, 'unixepoch') AS day, sum(charged_tokens) AS tokens, sum(charged_micro_dollars) AS micro_dollars FROM receipts WHERE tenant_id = ?1",
    stack.tenants[0].tenant_id,
  );
  const [line, ...others] = body.data;
  assert.deepEqual(others, []);
  const key_id = await stack.rows("SELECT key_id FROM receipts WHERE tenant_id = ?1 LIMIT 1", stack.tenants[0].tenant_id);
  assert.deepEqual([line.day, line.model, line.key_id], [day, MODEL, key_id[0].key_id]);
  assert.deepEqual([line.messages, line.tokens, line.micro_dollars], [3, tokens, micro_dollars]);
  assert.equal(line.tokens_in + line.tokens_out, tokens);
  assert.ok(response.headers.get("x-ratelimit-remaining-requests"), "it counts against the rate limit");
});

test("csv_is_selected_by_the_query_or_the_accept_header", async () => {
  const json = await (await get("?format=json", { accept: "text/csv" })).json();
  for (const response of [await get("?format=csv"), await get("", { accept: "text/csv" })]) {
    assert.equal(response.headers.get("content-type"), "text/csv; charset=utf-8");
    const [header, line, end, ...others] = (await response.text()).split("\r\n");
    assert.equal(header, "day,model,key_id,messages,tokens_in,tokens_out,tokens,micro_dollars");
    const { day, model, key_id, messages, tokens_in, tokens_out, tokens, micro_dollars } = json.data[0];
    assert.equal(line, `${day},"${model}",${key_id},${messages},${tokens_in},${tokens_out},${tokens},${micro_dollars}`);
    assert.deepEqual([end, others], ["", []]);
  }
});

test("a_period_without_receipts_is_empty_and_an_invalid_one_is_rejected", async () => {
  assert.deepEqual((await (await get("?from=1&to=2")).json()).data, []);
  for (const [query, code, param] of [
    ["?from=2&to=1", "invalid_value", "from"],
    ["?from=x", "invalid_value", "from"],
    ["?to=-1", "invalid_value", "to"],
    ["?from=0&to=99999999999", "invalid_value", "from"],
    ["?format=xml", "invalid_value", "format"],
    ["?tenant_id=x", "unknown_parameter", "tenant_id"],
    ["?from=1&from=1", "invalid_value", "from"],
  ]) {
    await expectError(await get(query), 400, { code, param });
  }
});

test("only_keys_with_the_scope_read_and_only_their_own_tenant", async () => {
  const { body } = await stack.admin("POST", `/tenants/${stack.tenants[0].tenant_id}/keys`, { name: "chat", scopes: ["chat", "sessions:read", "sessions:write", "tools"] });
  await expectError(await get("", { key: body.key }), 403, { code: "permission_denied" });
  await expectError(await fetch(`${stack.url}/v1/usage`), 401);
  await expectError(await fetch(`${stack.url}/v1/usage`, { method: "POST", headers: { authorization: `Bearer ${reader}` } }), 405);
  const { body: other } = await stack.admin("POST", `/tenants/${stack.tenants[1].tenant_id}/keys`, { name: "reports", scopes: ["usage:read"] });
  const { data } = await (await get("", { key: other.key })).json();
  assert.deepEqual(data.map(({ messages }) => messages), [1]);
});
