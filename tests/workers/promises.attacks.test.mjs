// Edge cases of the ledger: rejections without details, huge quotas, providers that exceed
// their limit, and rate limit headers on every response.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { unknownKey } from "../harness/keys.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
let next = 0;
before(async () => (stack = await startStack({ tenants: 8 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

// keys.attacks
test("attack 4: a_revoked_key_gets_the_same_headers_as_an_unknown_key", async () => {
  const { tenant, key } = await tenantWith({});
  await complete(stack, {}, { key });
  await stack.callLedger(tenant, { revoke: { key_id: await stack.keyId(tenant) } });
  const seen = async (wrong) => {
    const response = await postChat(stack, chatBody(), { key: wrong });
    await expectError(response, 401);
    return [...response.headers].filter(([name]) => !["x-request-id", "date"].includes(name));
  };
  assert.deepEqual(await seen(key), await seen(unknownKey()));
});

// ledger.attacks
test("attack 50: the_largest_number_in_settings_works_as_a_quota", async () => {
  const most = "18446744073709551615";
  const { key } = await tenantWith(`{"quotas":{"messages_per_month":${most},"tokens_per_month":${most},"micro_dollars_per_month":${most}}}`);
  await complete(stack, {}, { key });
});

// ledger.attacks
test("attack 43: a_provider_that_exceeds_its_limit_is_cut_and_the_stream_ends_with_length", async () => {
  const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
  stack.upstream.always(behaviours.stream({ pieces: Array(500).fill(" word"), usage: null, delayMs: 1 }));
  const { chunks, text } = await completeStream(stack, { stream_options: { include_usage: true } }, { key });
  const reasons = chunks.flatMap(({ choices }) => choices).map(({ finish_reason }) => finish_reason).filter(Boolean);
  assert.deepEqual(reasons, ["length"]);
  assert.ok(text.length < 5 * 200);
});

// rate-headers.contract
for (const [name, send] of Object.entries({
  a_model_that_is_not_there: (key) => fetch(`${stack.url}/v1/models/absent`, { headers: { authorization: `Bearer ${key}` } }),
  a_chat_with_a_model_that_is_not_there: (key) => postChat(stack, chatBody({ model: "absent" }), { key }),
  a_chat_with_a_wrong_parameter: (key) => postChat(stack, chatBody({ n: 0 }), { key }),
  a_chat_that_is_no_json: (key) => postChat(stack, "{", { key }),
})) {
  test(`x-ratelimit headers are on ${name}`, async () => {
    const { key } = await tenantWith({});
    const response = await send(key);
    assert.ok([400, 404].includes(response.status), await response.text());
    assert.ok(response.headers.has("x-ratelimit-remaining-requests"));
  });
}
