// Round trips of custom tool calls and legacy function calls, streamed and accumulated by
// the package.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { CALLS, CUSTOM, LEGACY, startScripted } from "../../harness/scripted.mjs";

let gateway;
let client;
before(async () => {
  gateway = await startScripted();
  client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0 });
});
after(() => gateway?.stop());

const QUESTION = { role: "user", content: "How large is it?" };
const parameters = { type: "object", properties: { city: { type: "string" } } };
const GRAMMAR = { type: "grammar", grammar: { syntax: "lark", definition: "start: /.+/" } };
const tools = [
  { type: "custom", custom: { name: CUSTOM.name, description: "Runs SQL.", format: GRAMMAR } },
  { type: "function", function: { name: CALLS[1].name, parameters } },
];
const finish = (request) => client.chat.completions.stream(request).finalChatCompletion();

test("openai_node_accumulates_a_custom_tool_call_and_returns_its_result", async () => {
  assert.equal(gateway.custom.length, 1);
  const [model] = gateway.custom;
  const [{ message, finish_reason }] = (await finish({ model, messages: [QUESTION], tools })).choices;
  assert.equal(finish_reason, "tool_calls");
  const [custom, beside] = message.tool_calls;
  assert.deepEqual(custom, { id: CUSTOM.id, type: "custom", custom: { name: CUSTOM.name, input: CUSTOM.input } });
  assert.deepEqual(JSON.parse(beside.function.arguments), CALLS[1].input);
  const results = { [custom.id]: "3 rows", [beside.id]: "noon" };
  const toolMessages = message.tool_calls.map(({ id }) => ({ role: "tool", tool_call_id: id, content: results[id] }));
  const final = await finish({ model, messages: [QUESTION, message, ...toolMessages], tools });
  assert.deepEqual(JSON.parse(final.choices[0].message.content), { recalled: [CUSTOM], results, tools });
});

test("openai_node_accumulates_a_legacy_function_call_from_every_wire_format", async () => {
  assert.equal(gateway.legacy.length, 3, "one per wire format");
  const functions = [{ name: LEGACY.name, parameters }];
  for (const model of gateway.legacy) {
    const completion = await finish({ model, messages: [QUESTION], functions });
    const [{ message, finish_reason }] = completion.choices;
    assert.equal(finish_reason, "function_call", model);
    assert.equal(message.tool_calls, undefined, model);
    assert.equal(message.function_call.name, LEGACY.name, model);
    assert.deepEqual(JSON.parse(message.function_call.arguments), LEGACY.input, model);
    const messages = [QUESTION, message, { role: "function", name: LEGACY.name, content: "21 °C" }];
    const final = await finish({ model, messages, functions });
    assert.deepEqual(JSON.parse(final.choices[0].message.content), { recalled: [LEGACY], results: ["21 °C"] }, model);
  }
});
