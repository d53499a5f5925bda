// Round trips of two parallel streamed tool calls through every wire format, accumulated by
// the packages.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { isStepCount, jsonSchema, streamText, tool } from "ai";
import OpenAI from "openai";
import { CALLS, startScripted } from "../../harness/scripted.mjs";

let gateway;
before(async () => (gateway = await startScripted()));
after(() => gateway?.stop());

const QUESTION = { role: "user", content: "What is the weather, and what is the time?" };
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
/** The tool results by call id. */
const RESULTS = Object.fromEntries(CALLS.map(({ id, name }) => [id, `${name}: 21 °C, "fine"`]));
const openaiTools = CALLS.map(({ name }) => ({ type: "function", function: { name, parameters } }));

/** Asserts that the model received its own calls and both results: its last response contains them. */
function assertRoundTrip(text) {
  const { recalled, results } = JSON.parse(text);
  assert.deepEqual(recalled, CALLS);
  assert.deepEqual(results, RESULTS);
}

const forEach = async (run) => {
  assert.equal(gateway.tools.length, 3, "one per wire format");
  for (const model of gateway.tools) await run(model);
};

test("openai_node_accumulates_both_calls_and_returns_their_results", () => forEach(async (model) => {
  const client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0 });
  const messages = [QUESTION];
  const completion = await client.chat.completions.stream({ model, messages, tools: openaiTools }).finalChatCompletion();
  const [{ message, finish_reason }] = completion.choices;
  assert.equal(finish_reason, "tool_calls");
  assert.deepEqual(message.tool_calls.map((call) => ({ id: call.id, name: call.function.name, input: JSON.parse(call.function.arguments) })), CALLS);
  assert.ok(message.tool_calls.every(({ type }) => type === "function"));
  messages.push(message, ...message.tool_calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: RESULTS[id] })));
  const final = await client.chat.completions.stream({ model, messages, tools: openaiTools }).finalChatCompletion();
  assertRoundTrip(final.choices[0].message.content);
}));

test("openai_node_runs_both_tools_in_its_loop", () => forEach(async (model) => {
  const client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0 });
  const seen = [];
  const tools = CALLS.map(({ id, name }) => ({
    type: "function",
    function: { name, parameters, parse: JSON.parse, function: (input) => (seen.push({ id, name, input }), RESULTS[id]) },
  }));
  const text = await client.chat.completions.runTools({ model, messages: [QUESTION], tools, stream: true }).finalContent();
  assert.deepEqual(seen, CALLS);
  assertRoundTrip(text);
}));

test("the_vercel_ai_sdk_runs_both_tools_in_its_loop", () => forEach(async (model) => {
  const provider = createOpenAICompatible({ name: "clawless", baseURL: gateway.base_url, apiKey: gateway.secret_key });
  const seen = [];
  const tools = Object.fromEntries(CALLS.map(({ id, name }) => [
    name,
    tool({ inputSchema: jsonSchema({ ...parameters, additionalProperties: true }), execute: async (input) => (seen.push({ id, name, input }), RESULTS[id]) }),
  ]));
  const answer = streamText({ model: provider.chatModel(model), messages: [QUESTION], tools, stopWhen: isStepCount(3), maxRetries: 0 });
  const text = await answer.text;
  assert.deepEqual(seen, CALLS);
  assertRoundTrip(text);
}));

/** The response of the models of `acts` after the server tool returned the time. */
const TIME = /^It is \d{4}-\d\d-\d\dT[\d:.]+Z\.$/;

test("openai_node_and_the_vercel_ai_sdk_get_a_regular_response_after_server_tools", async () => {
  assert.equal(gateway.acts.length, 2, "one per wire format that splits calls");
  for (const model of gateway.acts) {
    const client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.acting_key, maxRetries: 0 });
    const { choices } = await client.chat.completions.stream({ model, messages: [QUESTION] }).finalChatCompletion();
    assert.match(choices[0].message.content, TIME);
    assert.deepEqual([choices[0].finish_reason, choices[0].message.tool_calls ?? []], ["stop", []]);
    const provider = createOpenAICompatible({ name: "clawless", baseURL: gateway.base_url, apiKey: gateway.acting_key });
    const answer = streamText({ model: provider.chatModel(model), messages: [QUESTION], maxRetries: 0 });
    assert.match(await answer.text, TIME);
    assert.deepEqual([await answer.finishReason, await answer.toolCalls], ["stop", []]);
  }
});
