// Attacks 40, 43, 44, 48 and 50: quotas cannot be overrun, and nothing gets around a bucket.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
// The first tenant is the one that requests without a key of their own come from.
let next = 1;
before(async () => (stack = await startStack({ tenants: 17, gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** A tenant that no test has used yet, with these settings. */
async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

const tokens = (response, what) => Number(response.headers.get(`x-ratelimit-${what}-tokens`));
const sentLimit = ({ max_completion_tokens, max_tokens }) => max_completion_tokens ?? max_tokens;

/** 429 in OpenAI's words, which SDKs do not try again. */
async function expectUsedUp(response) {
  assert.equal(response.headers.get("x-should-retry"), "false");
  return expectError(response, 429, { code: "insufficient_quota", type: "insufficient_quota" });
}

describe("attack 40: n, logit_bias and stop", () => {
  for (const [param, value] of Object.entries({
    n: 129,
    logit_bias: Object.fromEntries(Array.from({ length: 1025 }, (_, token) => [token, 1])),
    stop: ["a", "b", "c", "d", "e"],
  })) {
    test(`${param}_beyond_its_cap_is_400_and_takes_nothing`, async () => {
      await expectError(await postChat(stack, chatBody({ [param]: value })), 400, { param });
      assert.equal(stack.upstream.requests.length, 0);
    });
  }

  test("a_bias_beyond_100_and_a_stop_beyond_4096_bytes_are_400", async () => {
    await expectError(await postChat(stack, chatBody({ logit_bias: { 1: 101 } })), 400, { param: "logit_bias" });
    await expectError(await postChat(stack, chatBody({ stop: "x".repeat(4097) })), 400, { param: "stop" });
  });

  test("an_answer_is_reserved_n_times", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 10_000 } });
    stack.upstream.always(behaviours.answer({ usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
    const reserved = async (n) => {
      const { response } = await complete(stack, { n, max_tokens: 100 }, { key });
      return 10_000 - tokens(response, "remaining");
    };
    const one = await reserved(1);
    assert.ok(one > 100);
    assert.equal((await reserved(4)) - one, 300 + 2, "three more answers, and what the first call used");
  });

  test("what_the_quota_leaves_is_shared_by_the_n_answers", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 200 } });
    await complete(stack, { n: 5 }, { key });
    const most = sentLimit(stack.upstream.lastBody);
    assert.ok(most >= 1 && 5 * most <= 200, `max_tokens ${most}`);
  });

  test("n_answers_without_usage_are_charged_n_times", async () => {
    const { tenant, key } = await tenantWith({});
    const choices = (count) => Array.from({ length: count }, (_, index) => ({ index, message: { role: "assistant", content: "Some words of an answer." }, finish_reason: "stop" }));
    stack.upstream.always(behaviours.answer({ usage: null }));
    stack.upstream.next(behaviours.answer({ usage: null, extra: { choices: choices(1) } }), behaviours.answer({ usage: null, extra: { choices: choices(4) } }));
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
  test("the_answer_is_capped_by_what_the_quota_leaves", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
    const answer = behaviours.answer({ finish_reason: "length" });
    stack.upstream.always(answer);
    const { body, response } = await complete(stack, {}, { key });
    const most = sentLimit(stack.upstream.lastBody);
    assert.ok(most >= 1 && most < 100, `max_tokens ${most}`);
    assert.equal(body.choices[0].finish_reason, "length");
    assert.equal(tokens(response, "remaining"), 0, "all that is left is reserved");
  });

  test("a_stream_that_uses_up_its_reservation_ends_with_length_and_the_true_usage", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
    stack.upstream.always(async (request, response) => {
      const most = sentLimit(request.body);
      const usage = { prompt_tokens: 10, completion_tokens: most, total_tokens: 10 + most };
      await behaviours.stream({ pieces: Array(most).fill(" word"), finish_reason: "length", usage })(request, response);
    });
    const { chunks, done } = await completeStream(stack, { stream_options: { include_usage: true } }, { key });
    assert.ok(done);
    const reasons = chunks.flatMap(({ choices }) => choices).map(({ finish_reason }) => finish_reason).filter(Boolean);
    assert.deepEqual(reasons, ["length"]);
    assert.equal(chunks.at(-1).usage.completion_tokens, sentLimit(stack.upstream.lastBody));
  });

  test("what_was_left_and_is_used_up_refuses_the_next", async () => {
    const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
    stack.upstream.always(behaviours.answer({ usage: { prompt_tokens: 11, completion_tokens: 89, total_tokens: 100 } }));
    await complete(stack, {}, { key });
    stack.upstream.reset();
    const { message } = await expectUsedUp(await postChat(stack, chatBody(), { key }));
    assert.match(message, /100 used and 0 reserved of 100/);
    assert.match(message, /\d{4}-\d{2}-01/);
    assert.equal(stack.upstream.requests.length, 0);
  });
});

test("attack 44: of_1000_requests_at_once_on_the_last_unit_over_two_gateways_exactly_one_passes", async () => {
  const { tenant, key } = await tenantWith({ limits: { requests_per_minute: null, concurrent: null }, quotas: { messages_per_month: 3 } });
  await complete(stack, {}, { key });
  await complete(stack, {}, { key, url: stack.urls[1] });
  stack.upstream.always(behaviours.answerOrStream({ delayMs: 50 }));
  stack.upstream.requests = [];
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const response = await postChat(stack, chatBody({ stream: index % 4 === 0 }), { key, url: stack.urls[index % 2] });
      const text = await response.text();
      return { status: response.status, text, retry: response.headers.get("x-should-retry") };
    }),
  );
  const passed = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status, text }) => status === 429 && JSON.parse(text).error.code === "insufficient_quota");
  const others = answers.filter((answer) => !passed.includes(answer) && !refused.includes(answer));
  assert.deepEqual(others.map(({ status, text }) => `${status} ${text}`), []);
  assert.equal(passed.length, 1);
  assert.equal(refused.length, 999);
  assert.ok(refused.every(({ retry }) => retry === "false"));
  assert.equal(stack.upstream.requests.length, 1);
  await stack.receipts(tenant, 3);
  const [{ messages }] = await stack.rows("SELECT sum(charged_messages) AS messages FROM receipts WHERE tenant_id = ?1", tenant);
  assert.equal(messages, 3);
});

test("attack 48: aliases_of_a_path_are_404_and_take_nothing_from_a_bucket", async () => {
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

describe("attack 50: quotas at their ends", () => {
  for (const kind of ["messages_per_month", "tokens_per_month", "micro_dollars_per_month"]) {
    test(`no_${kind}_refuses_the_first_request`, async () => {
      const { key } = await tenantWith({ quotas: { [kind]: 0 } });
      const { message } = await expectUsedUp(await postChat(stack, chatBody(), { key }));
      assert.match(message, /0 used and 0 reserved of 0/);
      assert.equal(stack.upstream.requests.length, 0);
    });
  }

  test("the_largest_quotas_let_a_request_pass_and_overflow_nowhere", async () => {
    const most = String(Number.MAX_SAFE_INTEGER);
    const { key } = await tenantWith(`{"quotas":{"messages_per_month":${most},"tokens_per_month":${most},"micro_dollars_per_month":${most}}}`);
    const { response } = await complete(stack, {}, { key });
    assert.equal(response.headers.get("x-ratelimit-limit-tokens"), most);
    await complete(stack, {}, { key });
  });

  test("a_quota_lowered_below_what_is_used_refuses_until_it_is_raised_again", async () => {
    const { tenant, key } = await tenantWith({ quotas: { tokens_per_month: 10_000 } });
    await complete(stack, {}, { key });
    await complete(stack, {}, { key });
    // The first gateway remembers the old settings. The second reads the new ones, and from then
    // on they hold on both.
    await stack.updateSettings(tenant, { quotas: { tokens_per_month: 30 } });
    for (const url of [stack.urls[1], stack.urls[0]]) {
      const { message } = await expectUsedUp(await postChat(stack, chatBody(), { key, url }));
      assert.match(message, /36 used and 0 reserved of 30/);
    }
    assert.equal(stack.upstream.requests.length, 2);
    await stack.updateSettings(tenant, { quotas: { tokens_per_month: 10_000 } });
    await stack.callLedger(tenant, { configure: { version: 4, status: "active", limits: UNLIMITED.limits, quotas: { ...UNLIMITED.quotas, tokens_per_month: 10_000 } } });
    for (const url of stack.urls) await complete(stack, {}, { key, url });
  });
});

test("the_operator_is_warned_once_at_80_and_once_at_100_percent_and_told_of_each_refusal", async () => {
  const { key } = await tenantWith({ quotas: { tokens_per_month: 100 } });
  stack.upstream.always(behaviours.answer({ usage: { prompt_tokens: 10, completion_tokens: 30, total_tokens: 40 } }));
  const from = stack.logs.length;
  for (let call = 0; call < 3; call += 1) await complete(stack, {}, { key });
  await expectUsedUp(await postChat(stack, chatBody(), { key }));
  await expectUsedUp(await postChat(stack, chatBody(), { key }));
  const lines = () => stack.logs.slice(from).map(({ message }) => JSON.parse(message));
  const refusals = () => lines().filter(({ code }) => code === "insufficient_quota");
  await until(() => refusals().length >= 2, "both refusals are in the log");
  const written = lines();
  const warnings = written.filter(({ percent }) => percent !== undefined);
  assert.deepEqual(warnings.map(({ percent, used, limit }) => [percent, used, limit]), [[80, 80, 100], [100, 120, 100]]);
  assert.equal(refusals().length, 2);
});

const UNLIMITED = {
  limits: { requests_per_minute: null, burst: null, concurrent: null },
  quotas: { messages_per_month: null, tokens_per_month: null, micro_dollars_per_month: null },
};
