// The Vercel AI SDK's `@ai-sdk/openai`, which speaks the Responses API by default, on scripted models.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { CALLS, startScripted } from "../../harness/scripted.mjs";

let gateway;
let openai;
before(async () => {
  gateway = await startScripted();
  openai = createOpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key });
});
after(() => gateway?.stop());

const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const RESULTS = Object.fromEntries(CALLS.map(({ id, name }) => [id, `${name}: 21 °C, "fine"`]));

/** Runs the tools in the SDK's loop; returns what they were called with, and the last text. */
async function runTools(model, providerOptions) {
  const seen = [];
  const tools = Object.fromEntries(CALLS.map(({ id, name }) => [name, tool({ inputSchema: jsonSchema(schema), execute: (input) => (seen.push({ id, name, input }), RESULTS[id]) })]));
  const answer = streamText({ model: openai(model), prompt: "What is the weather, and what is the time?", tools, stopWhen: isStepCount(3), maxRetries: 0, providerOptions });
  return { seen, text: await answer.text, finishReason: await answer.finishReason };
}

test("tools_run_in_its_loop_with_references_to_stored_items", async () => {
  for (const model of gateway.tools) {
    const { seen, text, finishReason } = await runTools(model, {});
    assert.deepEqual(seen, CALLS);
    assert.deepEqual(JSON.parse(text), { recalled: CALLS, results: RESULTS });
    assert.equal(finishReason, "stop");
  }
});

test("tools_run_in_its_loop_if_nothing_is_stored", async () => {
  for (const model of gateway.tools) {
    const { seen, text } = await runTools(model, { openai: { store: false } });
    assert.deepEqual(seen, CALLS);
    assert.deepEqual(JSON.parse(text), { recalled: CALLS, results: RESULTS });
  }
});

test("a_whole_answer_has_its_text_and_usage", async () => {
  for (const model of gateway.good) {
    const { text, usage, finishReason } = await generateText({ model: openai(model), prompt: "Say hello.", maxRetries: 0 });
    assert.deepEqual([text, finishReason], ["Hello there.", "stop"]);
    assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
  }
});

test("a_stream_that_breaks_is_an_error", async () => {
  for (const model of gateway.breaks) {
    const answer = streamText({ model: openai(model), prompt: "Say hello.", maxRetries: 0, onError: () => {} });
    const parts = [];
    for await (const part of answer.fullStream) parts.push(part);
    const ends = parts.filter(({ type }) => type === "finish").map(({ finishReason }) => finishReason);
    assert.ok(!ends.some((end) => ["stop", "tool-calls", "length"].includes(end)), `${model}: ${JSON.stringify(parts)}`);
  }
});
