// The Vercel AI SDK's `@ai-sdk/anthropic`, which speaks the Messages API, on scripted models.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { CALLS, SIGNATURE, startScripted, THOUGHT } from "../../harness/scripted.mjs";

let gateway;
let anthropic;
before(async () => {
  gateway = await startScripted();
  anthropic = createAnthropic({ baseURL: gateway.base_url, apiKey: gateway.secret_key });
});
after(() => gateway?.stop());

const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const RESULTS = Object.fromEntries(CALLS.map(({ id, name }) => [id, `${name}: 21 °C, "fine"`]));

test("a_whole_answer_has_its_text_and_usage", async () => {
  for (const model of gateway.good) {
    const { text, usage, finishReason } = await generateText({ model: anthropic(model), prompt: "Say hello.", maxRetries: 0 });
    assert.deepEqual([text, finishReason], ["Hello there.", "stop"]);
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
  }
});

test("tools_run_in_its_loop", async () => {
  for (const model of gateway.tools) {
    const seen = [];
    const tools = Object.fromEntries(CALLS.map(({ id, name }) => [name, tool({ inputSchema: jsonSchema(schema), execute: (input) => (seen.push({ id, name, input }), RESULTS[id]) })]));
    const answer = streamText({ model: anthropic(model), prompt: "What is the weather, and what is the time?", tools, stopWhen: isStepCount(3), maxRetries: 0 });
    assert.deepEqual(JSON.parse(await answer.text), { recalled: CALLS, results: RESULTS });
    assert.deepEqual(seen, CALLS);
    assert.equal(await answer.finishReason, "stop");
  }
});

test("reasoning_is_shown_and_returned_to_its_provider_with_its_signature", async () => {
  const [model] = gateway.thinks;
  const settings = { model: anthropic(model), maxRetries: 0, providerOptions: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } } };
  const first = await generateText({ ...settings, prompt: "Say hello." });
  assert.equal(first.reasoningText, THOUGHT);
  const messages = [{ role: "user", content: "Say hello." }, ...first.response.messages, { role: "user", content: "Again." }];
  const next = await generateText({ ...settings, messages });
  const { recalled } = JSON.parse(next.text);
  assert.deepEqual(recalled, [{ type: "thinking", thinking: THOUGHT, signature: SIGNATURE }]);
});

test("a_stream_that_breaks_is_an_error", async () => {
  for (const model of gateway.breaks) {
    const answer = streamText({ model: anthropic(model), prompt: "Say hello.", maxRetries: 0, onError: () => {} });
    const parts = [];
    for await (const part of answer.fullStream) parts.push(part);
    const ends = parts.filter(({ type }) => type === "finish").map(({ finishReason }) => finishReason);
    assert.ok(!ends.some((end) => ["stop", "tool-calls", "length"].includes(end)), `${model}: ${JSON.stringify(parts)}`);
  }
});
