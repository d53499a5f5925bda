// Attacks 40, 43, 44, 48 and 50: quotas cannot be exceeded, and rate limits cannot be bypassed.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
// Requests without an explicit key use the first tenant.
let next = 1;
before(async () => (stack = await startStack({ tenants: 17, gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** A tenant that no other test uses, with these settings. */
async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

const tokens = (response, what) => Number(response.headers.get(`x-ratelimit-${what}-tokens`));
const sentLimit = ({ max_completion_tokens, max_tokens }) => max_completion_tokens ?? max_tokens;

/** Asserts a 429 with OpenAI's code for an exhausted quota, which SDKs do not retry. */
async function expectQuotaExceeded(response) {
  assert.equal(response.headers.get("x-should-retry"), "false");
  return expectError(response, 429, { code: "insufficient_quota", type: "insufficient_quota" });
}

describe("attack 40: n, logit_bias and stop", () => {
  for (const [param, value] of Object.entries({
    n: 129,
    logit_bias: Object.fromEntries(Array.from({ length: 1025 }, (_, token) => [token, 1])),
    stop: ["a", "b", "c", "d", "e"],
  })) {
    test(`${param}_above_its_maximum_is_400_and_uses_no_quota`, async () => {
      await expectError(await postChat(stack, chatBody({ [param]: value })), 400, { param });
      assert.equal(stack.upstream.requests.length, 0);
    });
  }

  test("a_bias_above_100_and_a_stop_above_4096_bytes_are_400", async () => {
    await expectError(await postChat(stack, chatBody({ logit_bias: { 1: 101 } })), 400, { param: "logit_bias" });
    await expectError(await postChat(stack, chatBody({ stop: "x".repeat(4097) })), 400, { param: "stop" });
  });

  test("n_choices_reserve_n_times_the_tokens", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 10_000 } });
    stack.upstream.always(behaviours.completion({ usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
    const reserved = async (n) => {
      const { response } = await complete(stack, { n, max_tokens: 100 }, { key });
      return 10_000 - tokens(response, "remaining");
    };
    const one = await reserved(1);
    assert.ok(one > 100);
    assert.equal((await reserved(4)) - one, 300 + 2, "three more choices and the usage of the first call");
  });

  test("the_remaining_quota_is_divided_among_the_n_choices", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 200 } });
    await complete(stack, { n: 5 }, { key });
    const maxTokens = sentLimit(stack.upstream.lastBody);
    assert.ok(maxTokens >= 1 && 5 * maxTokens <= 200, `max_tokens ${maxTokens}`);
  });

  test("n_choices_without_usage_are_charged_n_times", async () => {
    const { tenant, key } = await tenantWith({});
    const choices = (count) => Array.from({ length: count }, (_, index) => ({ index, message: { role: "assistant", content: "Some words of an answer." }, finish_reason: "stop" }));
    stack.upstream.always(behaviours.completion({ usage: null }));
    stack.upstream.next(behaviours.completion({ usage: null, extra: { choices: choices(1) } }), behaviours.completion({ usage: null, extra: { choices: choices(4) } }));
    const one = (await complete(stack, {}, { key })).body.usage.completion_tokens;
    const four = (await complete(stack, { n: 4 }, { key })).body.usage.completion_tokens;
    assert.ok(one > 0);
    assert.equal(four, 4 * one);
    await stack.receipts(tenant, 2);
    const charged = await stack.rows("SELECT tokens_out FROM receipts WHERE tenant_id = ?1 ORDER BY tokens_out", tenant);
    assert.deepEqual(charged.map(({ tokens_out }) => tokens_out), [one, four]);
  });
});

describe("attack 43: no max_tokens", () => {
  test("the_response_is_capped_by_the_remaining_quota", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
    const answer = behaviours.completion({ finish_reason: "length" });
    stack.upstream.always(answer);
    const { body, response } = await complete(stack, {}, { key });
    const maxTokens = sentLimit(stack.upstream.lastBody);
    assert.ok(maxTokens >= 1 && maxTokens < 100, `max_tokens ${maxTokens}`);
    assert.equal(body.choices[0].finish_reason, "length");
    assert.equal(tokens(response, "remaining"), 0, "the whole remaining quota is reserved");
  });

  test("a_stream_that_uses_up_its_reservation_ends_with_length_and_the_true_usage", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
    stack.upstream.always(async (request, response) => {
      const maxTokens = sentLimit(request.body);
      const usage = { prompt_tokens: 10, completion_tokens: maxTokens, total_tokens: 10 + maxTokens };
      await behaviours.stream({ pieces: Array(maxTokens).fill(" word"), finish_reason: "length", usage })(request, response);
    });
    const { chunks, done } = await completeStream(stack, { stream_options: { include_usage: true } }, { key });
    assert.ok(done);
    const reasons = chunks.flatMap(({ choices }) => choices).map(({ finish_reason }) => finish_reason).filter(Boolean);
    assert.deepEqual(reasons, ["length"]);
    assert.equal(chunks.at(-1).usage.completion_tokens, sentLimit(stack.upstream.lastBody));
  });

  test("an_exhausted_quota_rejects_the_next_request", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
    stack.upstream.always(behaviours.completion({ usage: { prompt_tokens: 11, completion_tokens: 89, total_tokens: 100 } }));
    await complete(stack, {}, { key });
    stack.upstream.reset();
    const { message } = await expectQuotaExceeded(await postChat(stack, chatBody(), { key }));
    assert.match(message, /100 used and 0 reserved of 100/);
    assert.match(message, /\d{4}-\d{2}-01/);
    assert.equal(stack.upstream.requests.length, 0);
  });
});

test("attack 44: of_1000_concurrent_requests_for_the_last_unit_over_two_gateways_exactly_one_passes", async () => {
  const { tenant, key } = await tenantWith({ limits: { requests_per_minute: null, concurrent: null }, quotas: { messages_per_month: 3 } });
  await complete(stack, {}, { key });
  await complete(stack, {}, { key, url: stack.urls[1] });
  stack.upstream.always(behaviours.completionOrStream({ delayMs: 50 }));
  stack.upstream.requests = [];
  const responses = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const response = await postChat(stack, chatBody({ stream: index % 4 === 0 }), { key, url: stack.urls[index % 2] });
      const text = await response.text();
      return { status: response.status, text, retry: response.headers.get("x-should-retry"), after: Number(response.headers.get("retry-after")) };
    }),
  );
  const passed = responses.filter(({ status }) => status === 200);
  const rejected = responses.filter(({ status, text }) => status === 429 && ["insufficient_quota", "rate_limit_exceeded"].includes(JSON.parse(text).error.code));
  const others = responses.filter((response) => !passed.includes(response) && !rejected.includes(response));
  assert.deepEqual(others.map(({ status, text }) => `${status} ${text}`), []);
  assert.equal(passed.length, 1);
  assert.equal(rejected.length, 999);
  // While the one request runs, its unit is reserved and not used up.
  for (const { text, retry, after } of rejected) {
    const isUsedUp = JSON.parse(text).error.code === "insufficient_quota";
    assert.equal(retry === "false", isUsedUp, text);
    if (!isUsedUp) assert.ok(after >= 1 && after <= 10, `retry-after: ${after}`);
  }
  assert.equal(stack.upstream.requests.length, 1);
  await stack.receipts(tenant, 3);
  const [{ messages }] = await stack.rows("SELECT sum(charged_messages) AS messages FROM receipts WHERE tenant_id = ?1", tenant);
  assert.equal(messages, 3);
});

test("attack 48: aliases_of_a_path_are_404_and_use_no_rate_limit", async () => {
  const { key } = await tenantWith({ limits: { requests_per_minute: 1, burst: 10 } });
  const remaining = async () => Number((await complete(stack, {}, { key })).response.headers.get("x-ratelimit-remaining-requests"));
  const first = await remaining();
  for (const path of ["//v1/chat/completions", "/V1/chat/completions", "/v1/chat/completions/", "/v1//chat/completions", "/v1/%63hat/completions", "/v1/Chat/Completions", "/v1/chat%2Fcompletions", "/v1/chat/completions;x"]) {
    const response = await fetch(`${stack.url}${path}`, { method: "POST", headers: { authorization: `Bearer ${key}`, "content-type": "application/json" }, body: JSON.stringify(chatBody()) });
    await expectError(response, 404);
  }
  assert.equal(await remaining(), first - 1);
  assert.equal(stack.upstream.requests.length, 2);
});

describe("attack 50: quotas at their limits", () => {
  for (const kind of ["messages_per_month", "tokens_per_month", "micro_dollars_per_month"]) {
    test(`no_${kind}_rejects_the_first_request`, async () => {
      const { key } = await tenantWith({ quotas: { [kind]: 0 } });
      const { message } = await expectQuotaExceeded(await postChat(stack, chatBody(), { key }));
      assert.match(message, /0 used and 0 reserved of 0/);
      assert.equal(stack.upstream.requests.length, 0);
    });
  }

  test("the_largest_quotas_accept_a_request_without_an_overflow", async () => {
    const maxTokens = String(Number.MAX_SAFE_INTEGER);
    const { key } = await tenantWith(`{"quotas":{"messages_per_month":${maxTokens},"tokens_per_month":${maxTokens},"micro_dollars_per_month":${maxTokens}}}`);
    const { response } = await complete(stack, {}, { key });
    assert.equal(response.headers.get("x-ratelimit-limit-tokens"), maxTokens);
    await complete(stack, {}, { key });
  });

  test("a_quota_lowered_below_its_usage_rejects_until_it_is_raised", async () => {
    const { tenant, key } = await tenantWith({ quotas: { tokens_per_month: 10_000 } });
    await complete(stack, {}, { key });
    await complete(stack, {}, { key });
    // The first gateway caches the old settings. The second reads the new ones; from then on they
    // apply on both.
    await stack.updateSettings(tenant, { quotas: { tokens_per_month: 30 } });
    for (const url of [stack.urls[1], stack.urls[0]]) {
      const { message } = await expectQuotaExceeded(await postChat(stack, chatBody(), { key, url }));
      assert.match(message, /36 used and 0 reserved of 30/);
    }
    assert.equal(stack.upstream.requests.length, 2);
    await stack.updateSettings(tenant, { quotas: { tokens_per_month: 10_000 } });
    await stack.callLedger(tenant, { configure: { version: 4, status: "active", limits: UNLIMITED.limits, quotas: { ...UNLIMITED.quotas, tokens_per_month: 10_000 } } });
    for (const url of stack.urls) await complete(stack, {}, { key, url });
  });
});

test("the_log_warns_once_at_80_and_once_at_100_percent_and_reports_each_overage_and_rejection", async () => {
  const { tenant, key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
  stack.upstream.always(behaviours.completion({ usage: { prompt_tokens: 10, completion_tokens: 30, total_tokens: 40 } }));
  const from = stack.logs.length;
  for (let call = 0; call < 3; call += 1) await complete(stack, {}, { key });
  await expectQuotaExceeded(await postChat(stack, chatBody(), { key }));
  await expectQuotaExceeded(await postChat(stack, chatBody(), { key }));
  const lines = () => stack.logs.slice(from).map(({ message }) => JSON.parse(message));
  const rejections = () => lines().filter(({ code }) => code === "insufficient_quota");
  await until(() => rejections().length >= 2, "both rejections are logged");
  const written = lines();
  const keyId = await stack.keyId(tenant);
  const period = new Date().toISOString().slice(0, 7);
  const warnings = written.filter(({ message }) => message === "quota warning");
  assert.deepEqual(
    warnings.map(({ level, time: _time, request_id: _request, build: _build, ...fields }) => ({ level, ...fields })),
    [[80, 80], [100, 120]].map(([percent, used]) => ({ level: "WARN", message: "quota warning", tenant, key: keyId, period, kind: "tokens", percent, used, limit: 100 })),
  );
  const exceeded = written.filter(({ message }) => message === "quota exceeded");
  assert.deepEqual(
    exceeded.map(({ level, time: _time, request_id: id, build: _build, ...fields }) => ({ level, hasRequest: id.startsWith("req_"), ...fields })),
    [{ level: "WARN", hasRequest: true, message: "quota exceeded", tenant, key: keyId, period, kind: "tokens", used: 120, limit: 100 }],
  );
  const overrun = written.filter(({ message }) => message === "reservation exceeded");
  assert.deepEqual(overrun.map(({ tenant: owner, key, tokens: excess }) => [owner, key, excess]), [[tenant, keyId, 20]]);
  assert.equal(rejections().length, 2);
});

const UNLIMITED = {
  limits: { requests_per_minute: null, burst: null, concurrent: null },
  quotas: { messages_per_month: null, tokens_per_month: null, micro_dollars_per_month: null },
};
