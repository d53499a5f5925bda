// Repeated requests with an idempotency key, over two gateways: one provider call, one charge, one turn, one response.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, eventsAsTheyArrive, expectError, MODEL, postChat, readEvents } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack({ tenants: 3, gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

let created = 0;
const newIdempotencyKey = () => `order-${(created += 1)}`;
const withIdempotencyKey = (key, options = {}) => ({ ...options, headers: { "idempotency-key": key, ...options.headers } });
const isReplay = (response) => response.headers.get("idempotent-replayed") === "true";
const receiptsOf = (session) => stack.rows("SELECT * FROM receipts WHERE session_id = ?", session);

test("attack_46_a_replay_has_the_same_bytes_and_costs_nothing", async () => {
  const key = newIdempotencyKey();
  const session = `session-${key}`;
  const options = withIdempotencyKey(key, { headers: { "x-session-id": session } });
  const first = await postChat(stack, chatBody(), options);
  const bytes = await first.text();
  for (const url of [...stack.urls, ...stack.urls]) {
    const again = await postChat(stack, chatBody(), { ...options, url });
    assert.equal(await again.text(), bytes);
    assert.ok(again.status === 200 && isReplay(again));
    assert.equal(again.headers.get("x-original-request-id"), first.headers.get("x-request-id"));
    assert.equal(again.headers.get("x-session-id"), session);
  }
  assert.equal(stack.upstream.requests.length, 1);
  await until(async () => (await receiptsOf(session)).length > 0, "a receipt is written");
  const receipts = await receiptsOf(session);
  assert.deepEqual(receipts.map(({ charged_tokens, charged_messages }) => [charged_messages, charged_tokens]), [[1, 18]]);
  assert.equal((await stack.rows("SELECT 1 FROM turns WHERE session_id = ?", session)).length, 1);
});

test("attack_46_replays_and_refusals_have_the_rates_of_this_request_and_name_the_model", async () => {
  await stack.updateSettings(stack.tenants[2].tenant_id, { limits: { requests_per_minute: 1, burst: 30 } });
  const options = (key, fields = {}) => withIdempotencyKey(key, { key: stack.tenants[2].secret_key, ...fields });
  let last = 30;
  const expectReport = async (response, status, tries) => {
    const text = await response.text();
    assert.equal(response.status, status, text);
    const header = (name) => response.headers.get(name);
    assert.deepEqual([header("x-ratelimit-limit-requests"), header("x-clawless-model"), header("x-clawless-tries")], ["30", MODEL, tries]);
    assert.ok(Number(header("x-ratelimit-remaining-requests")) < last, "this request counts");
    last = Number(header("x-ratelimit-remaining-requests"));
  };
  for (const fields of [{}, { stream: true }, { session_id: "reported" }]) {
    const key = newIdempotencyKey();
    await expectReport(await postChat(stack, chatBody(fields), options(key)), 200, "1");
    for (const url of stack.urls) {
      const again = await postChat(stack, chatBody(fields), options(key, { url }));
      assert.ok(isReplay(again));
      await expectReport(again, 200, "0");
    }
    await expectReport(await postChat(stack, chatBody({ ...fields, user: "another" }), options(key)), 422, "0");
  }
  stack.upstream.always(behaviours.completion({ content: "x".repeat(300_000) }));
  const key = newIdempotencyKey();
  await expectReport(await postChat(stack, chatBody(), options(key)), 200, "1");
  await expectReport(await postChat(stack, chatBody(), options(key)), 409, "0");
});

test("a_replayed_stream_has_the_same_id_text_finish_and_usage", async () => {
  const key = newIdempotencyKey();
  const fields = { stream_options: { include_usage: true } };
  stack.upstream.next(behaviours.stream({ pieces: ["Hello", " there", ", you", "."] }));
  const first = await completeStream(stack, fields, withIdempotencyKey(key));
  const second = await completeStream(stack, fields, withIdempotencyKey(key, { url: stack.urls[1] }));
  assert.ok(!isReplay(first.response) && isReplay(second.response));
  const comparable = ({ chunks, text, done }) => [done, text, chunks[0].id, chunks[0].created, chunks.at(-1).usage, chunks.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)];
  assert.deepEqual(comparable(second), comparable(first));
  assert.deepEqual(second.chunks.at(-1).usage.total_tokens, 18);
});

test("a_key_with_another_body_is_a_422_and_a_key_of_256_characters_a_400", async () => {
  const key = newIdempotencyKey();
  await complete(stack, {}, withIdempotencyKey(key));
  const other = chatBody({ temperature: 1 });
  await expectError(await postChat(stack, other, withIdempotencyKey(key, { url: stack.urls[1] })), 422, { code: "idempotency_key_reused" });
  await expectError(await postChat(stack, chatBody(), withIdempotencyKey("k".repeat(256))), 400, { code: "invalid_value" });
  await complete(stack, {}, withIdempotencyKey("k".repeat(255)));
});

test("attack_19_one_idempotency_key_under_two_tenants_or_two_api_keys_is_separate_requests", async () => {
  const key = newIdempotencyKey();
  const { key: another } = await stack.addKey(stack.tenants[0].tenant_id);
  const callers = [...stack.tenants.map((tenant) => tenant.secret_key), another];
  const responses = await Promise.all(callers.map((caller, index) => {
    stack.upstream.next(behaviours.completion({ content: `answer ${index}` }));
    return complete(stack, { messages: [{ role: "user", content: `question ${index}` }] }, withIdempotencyKey(key, { key: caller }));
  }));
  assert.equal(new Set(responses.map(({ body }) => body.id)).size, callers.length);
  assert.equal(stack.upstream.requests.length, callers.length);
});

for (const stream of [false, true]) {
  test(`twenty_concurrent_duplicates_over_two_gateways_are_one_call_${stream ? "streamed" : "whole"}`, async () => {
    const key = newIdempotencyKey();
    const session = `session-${key}`;
    stack.upstream.always(async (request, response) => {
      await sleep(300);
      await behaviours.completionOrStream()(request, response);
    });
    const all = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const response = await postChat(stack, chatBody({ stream }), withIdempotencyKey(key, { url: stack.urls[index % 2], headers: { "x-session-id": session } }));
        return { response, text: await response.text() };
      }),
    );
    for (const { response, text } of all) {
      assert.equal(response.status, 200, text);
      assert.equal(stream ? readEvents(text).text : JSON.parse(text).choices[0].message.content, "Hello there.");
    }
    assert.equal(all.filter(({ response }) => !isReplay(response)).length, 1);
    assert.equal(stack.upstream.requests.length, 1);
    assert.equal((await stack.rows("SELECT 1 FROM turns WHERE session_id = ?", session)).length, 1);
    await until(async () => (await receiptsOf(session)).length === 1, "one receipt");
  });
}

test("a_request_whose_client_disconnected_completes_and_serves_the_retry", async () => {
  const key = newIdempotencyKey();
  const body = chatBody({ stream: true });
  stack.upstream.next(behaviours.stream({ pieces: Array.from({ length: 20 }, (_, index) => `p${index};`), delayMs: 40 }));
  const leaving = new AbortController();
  const first = await postChat(stack, body, withIdempotencyKey(key, { signal: leaving.signal }));
  for await (const event of eventsAsTheyArrive(first)) if (event.includes("p1;")) break;
  leaving.abort();
  const second = await postChat(stack, body, withIdempotencyKey(key, { url: stack.urls[1] }));
  assert.ok(isReplay(second));
  const { text, done } = readEvents(await second.text());
  assert.deepEqual([text, done], [Array.from({ length: 20 }, (_, index) => `p${index};`).join(""), true]);
  assert.equal(stack.upstream.requests.length, 1);
});

test("an_error_before_the_first_byte_is_not_stored", async () => {
  const key = newIdempotencyKey();
  stack.upstream.next(behaviours.failure(400));
  await expectError(await postChat(stack, chatBody(), withIdempotencyKey(key)), 400);
  const { response } = await complete(stack, {}, withIdempotencyKey(key, { url: stack.urls[1] }));
  assert.ok(!isReplay(response));
});

test("a_response_of_more_than_256_kib_cannot_be_replayed", async () => {
  const key = newIdempotencyKey();
  stack.upstream.next(behaviours.completion({ content: "x".repeat(300_000) }));
  await complete(stack, {}, withIdempotencyKey(key));
  const error = await expectError(await postChat(stack, chatBody(), withIdempotencyKey(key)), 409, { code: "conflict" });
  assert.match(error.message, /256 KiB/);
  assert.equal(stack.upstream.requests.length, 1);
});

test("a_replay_is_rejected_after_the_key_is_revoked", async () => {
  const idempotency = newIdempotencyKey();
  const { tenant_id: tenant } = stack.tenants[0];
  const { key, keyId } = await stack.addKey(tenant);
  await complete(stack, {}, withIdempotencyKey(idempotency, { key }));
  await stack.callLedger(tenant, { revoke: { key_id: keyId } });
  await expectError(await postChat(stack, chatBody(), withIdempotencyKey(idempotency, { key })), 401);
});

test("the_hourly_trigger_deletes_responses_after_a_day_and_not_earlier", async () => {
  const [old, young] = [newIdempotencyKey(), newIdempotencyKey()];
  for (const key of [old, young]) await complete(stack, {}, withIdempotencyKey(key));
  await stack.rows("UPDATE idempotency SET expires_at = ?1 WHERE idempotency_key = ?2", Date.now() - 1, old);
  assert.equal(await stack.cron(), "ok");
  const kept = await stack.rows("SELECT idempotency_key AS key FROM idempotency WHERE idempotency_key IN (?1, ?2)", old, young);
  assert.deepEqual(kept, [{ key: young }]);
  assert.ok(!isReplay((await complete(stack, {}, withIdempotencyKey(old))).response));
});
