// Workers AI models through the binding `AI`, with a test Worker that responds in the
// platform's format (tests/harness/ai.mjs).
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { native, nativeStream, PLATFORM, refusal, USAGE } from "../harness/ai.mjs";
import { completionOrStream, json } from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, eventsAsTheyArrive, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

const FAST = "@cf/meta/llama-3.1-8b-instruct-fp8-fast";
const SMART = "@cf/zai-org/glm-5.3";
const CODE = "@cf/moonshotai/kimi-k2.7-code";
const VISION = "@cf/google/gemma-4-26b-a4b-it";
const WEATHER = { type: "function", function: { name: "weather", description: "The weather.", parameters: { type: "object", properties: { city: { type: "string" } } } } };

let stack;
before(async () => (stack = await startStack({ ai: true, vars: { PROVIDERS: JSON.stringify([PLATFORM]) } })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** The last request to the platform: the model's name, the inputs and the options. */
function lastRequest() {
  const { headers, body } = stack.upstream.requests.at(-1);
  return { model: headers["cf-consn-model-id"], ...body };
}

test("auto_calls_the_default_model_and_returns_its_response", async () => {
  stack.upstream.next(native());
  const { response, body } = await complete(stack, { model: "auto", temperature: 0.5, seed: 7 });
  assert.equal(body.choices[0].message.content, "Hello there.");
  assert.equal(body.choices[0].finish_reason, "stop");
  assert.deepEqual(body.usage, { ...body.usage, ...USAGE });
  assert.equal(response.headers.get("x-clawless-model"), FAST);
  assert.match(response.headers.get("x-clawless-route"), /^class:simple; p=[01]\.\d\d$/);
  const { model, inputs, options } = lastRequest();
  assert.equal(model, FAST);
  assert.deepEqual(options, { returnRawResponse: true });
  assert.deepEqual(inputs.messages, [{ role: "user", content: "Say hello." }]);
  assert.equal(inputs.temperature, 0.5);
  assert.equal(inputs.seed, 7);
  assert.ok(inputs.max_tokens > 256, "the platform's default cuts most responses");
});

test("a_response_is_streamed_with_its_usage", async () => {
  stack.upstream.next(nativeStream());
  const { text, done, chunks } = await completeStream(stack, { model: FAST, stream_options: { include_usage: true } });
  assert.equal(text, "Hello there.");
  assert.ok(done);
  assert.equal(chunks.at(-1).usage.total_tokens, USAGE.total_tokens);
  assert.equal(lastRequest().inputs.stream, true);
});

for (const [alias, model] of Object.entries({ smart: SMART, code: CODE, vision: VISION })) {
  test(`${alias}_selects_a_model_that_uses_openais_format`, async () => {
    stack.upstream.next(completionOrStream());
    const schema = { type: "json_schema", json_schema: { name: "s", schema: { type: "object" } } };
    const { response, body } = await complete(stack, { model: alias, stop: ["x"], tools: [WEATHER], response_format: schema, reasoning_effort: "xhigh" });
    assert.equal(body.choices[0].message.content, "Hello there.");
    assert.equal(response.headers.get("x-clawless-model"), model);
    assert.equal(response.headers.get("x-clawless-route"), `alias:${alias}`);
    const { inputs } = lastRequest();
    assert.deepEqual(inputs.response_format, schema);
    assert.deepEqual(inputs.stop, ["x"]);
    assert.deepEqual(inputs.tools, [WEATHER]);
    assert.equal(inputs.reasoning_effort, "high", "the platform has three efforts");
    stack.upstream.next(completionOrStream());
    const { text, done } = await completeStream(stack, { model: alias, reasoning_effort: "none" });
    assert.equal(text, "Hello there.");
    assert.ok(done);
    // One of them cannot disable thinking; for the others it is disabled.
    const { chat_template_kwargs: template, reasoning_effort: effort } = lastRequest().inputs;
    if (model === CODE) assert.deepEqual([template, effort], [undefined, "low"]);
    else assert.deepEqual([template, effort], [{ enable_thinking: false }, undefined]);
  });
}

test("an_image_goes_to_the_model_with_vision", async () => {
  stack.upstream.next(completionOrStream());
  const content = [{ type: "text", text: "What is it?" }, { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }];
  const { response } = await complete(stack, { model: "auto", messages: [{ role: "user", content }] });
  assert.equal(response.headers.get("x-clawless-model"), VISION);
  assert.deepEqual(lastRequest().inputs.messages[0].content, content);
});

test("tool_calls_in_the_platforms_format_become_openais", async () => {
  stack.upstream.next(native({ response: null, tool_calls: [{ name: "weather", arguments: { city: "Oslo" } }, { name: "weather", arguments: { city: "Bergen" } }] }));
  const { body } = await complete(stack, { model: SMART, tools: [WEATHER] });
  const [{ message, finish_reason }] = body.choices;
  assert.equal(finish_reason, "tool_calls");
  assert.deepEqual(message.tool_calls.map(({ function: call }) => JSON.parse(call.arguments)), [{ city: "Oslo" }, { city: "Bergen" }]);
  assert.equal(new Set(message.tool_calls.map(({ id }) => id)).size, 2);

  stack.upstream.next(nativeStream({ pieces: [], calls: [{ name: "weather", arguments: '{"city":"Oslo"}' }] }));
  const { chunks, done } = await completeStream(stack, { model: SMART, tools: [WEATHER] });
  assert.ok(done);
  const calls = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
  assert.equal(calls[0].function.name, "weather");
  assert.deepEqual(JSON.parse(calls.map((call) => call.function.arguments ?? "").join("")), { city: "Oslo" });
});

test("json_mode_returns_json_as_text", async () => {
  stack.upstream.next(native({ response: { capital: "Oslo" } }));
  const schema = { type: "object", properties: { capital: { type: "string" } } };
  const { body } = await complete(stack, { model: FAST, response_format: { type: "json_schema", json_schema: { name: "s", schema } } });
  assert.deepEqual(JSON.parse(body.choices[0].message.content), { capital: "Oslo" });
  assert.deepEqual(lastRequest().inputs.response_format, { type: "json_schema", json_schema: schema });
});

test("unsupported_features_are_rejected_or_reported_in_a_header", async () => {
  await expectError(await postChat(stack, chatBody({ model: FAST, tools: [WEATHER] })), 400, { param: "tools" });
  await expectError(await postChat(stack, chatBody({ model: FAST, stop: "x" })), 400, { param: "stop" });
  assert.equal(stack.upstream.requests.length, 0);
  stack.upstream.next(native());
  const { response } = await complete(stack, { model: FAST, reasoning_effort: "high", verbosity: "low" });
  assert.equal(response.headers.get("x-clawless-dropped"), "reasoning_effort, verbosity");
});

for (const [name, behaviour, status, code] of [
  ["no_capacity", refusal(429, 3040), 503, "upstream_overloaded"],
  ["a_rate_limit", json(429, { errors: [{ code: 10000, message: "platform-internal-detail" }] }, { "retry-after": "1" }), 429, "upstream_rate_limited"],
  ["the_accounts_allowance_used_up", refusal(429, 3036), 502, "upstream_error"],
  ["a_prompt_too_long", refusal(413, 3006), 400, "context_length_exceeded"],
  ["a_500", refusal(500, 3050), 502, "upstream_error"],
]) {
  test(`${name}_is_reported_without_the_platforms_text`, async () => {
    stack.upstream.always(behaviour);
    const response = await postChat(stack, chatBody({ model: FAST }));
    const text = await response.clone().text();
    assert.ok(!text.includes("platform-internal-detail"), text);
    await expectError(response, status, { code });
  });
}

test("a_platform_that_recovers_is_retried_until_success", async () => {
  stack.upstream.next(refusal(500, 3050), refusal(500, 3050), native());
  const { response } = await complete(stack, { model: FAST });
  assert.equal(response.headers.get("x-clawless-tries"), "3");
});

test("a_stream_that_is_cut_ends_with_an_error_and_without_done", async () => {
  for (const ending of [undefined, async (response) => { await sleep(50); response.socket.resetAndDestroy(); }]) {
    stack.upstream.next(nativeStream({ usage: null, last: false, ending }));
    const { chunks, done, text } = await completeStream(stack, { model: FAST });
    assert.equal(text, "Hello there.");
    assert.ok(!done);
    assert.equal(chunks.at(-1).error.code, "upstream_error");
  }
});

test("a_client_that_disconnects_cancels_the_platforms_request", async () => {
  let ended = false;
  const ending = async (response) => {
    response.on("close", () => (ended = true));
    while (!ended) {
      response.write('data: {"response":"more"}\n\n');
      await sleep(20);
    }
  };
  stack.upstream.next(nativeStream({ usage: null, last: false, ending }));
  const client = new AbortController();
  const response = await postChat(stack, chatBody({ model: FAST, stream: true }), { signal: client.signal });
  for await (const _event of eventsAsTheyArrive(response)) break;
  client.abort();
  await until(() => ended, "the platform's request is cancelled");
});

test("the_models_are_listed_after_auto_and_the_aliases", async () => {
  const response = await fetch(`${stack.url}/v1/models`, { headers: { authorization: `Bearer ${stack.key}` } });
  const { data } = await response.json();
  assert.deepEqual(data.map(({ id }) => id), ["auto", "fast", "smart", "code", "vision", FAST, VISION, SMART, CODE]);
});
