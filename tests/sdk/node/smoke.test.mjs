// The official packages of the Responses and Messages surfaces against the running Workers and the local
// model. It is small, slow and gets facts wrong, so the answers are short, and these tests check their
// format and usage; the other files check the content, with scripted models.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { Agent, OpenAIResponsesModel, Runner, setTracingDisabled } from "@openai/agents";
import { generateText, streamText } from "ai";
import OpenAI from "openai";

const described = process.env.CLAWLESS_DEV_JSON;
if (!described) {
  throw new Error("Set CLAWLESS_DEV_JSON to the dev.json of a running stack (cargo xtask dev --detach writes it).");
}
const { base_url: baseURL, secret_key: apiKey, model } = JSON.parse(readFileSync(described, "utf8"));
const openai = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 300_000 });
const anthropic = new Anthropic({ baseURL: new URL(baseURL).origin, apiKey, maxRetries: 0, timeout: 300_000 });
setTracingDisabled(true);

const PROMPT = "Say hello.";
const MAX_TOKENS = 16;
const messages = [{ role: "user", content: PROMPT }];

test("openai_creates_streams_and_continues_a_response", async () => {
  const first = await openai.responses.create({ model, input: PROMPT, max_output_tokens: MAX_TOKENS });
  assert.ok(first.output_text.length > 0);
  assert.ok(["completed", "incomplete"].includes(first.status));
  assert.ok(first.usage.input_tokens > 0 && first.usage.output_tokens <= MAX_TOKENS);
  const events = [];
  for await (const event of await openai.responses.create({ model, input: "Again.", previous_response_id: first.id, max_output_tokens: MAX_TOKENS, stream: true })) events.push(event);
  assert.deepEqual(events.map(({ sequence_number }) => sequence_number), events.map((_, position) => position));
  const { response } = events.at(-1);
  assert.ok(response.usage.input_tokens > first.usage.input_tokens, "the history is sent");
  const deltas = events.filter(({ type }) => type === "response.output_text.delta").map(({ delta }) => delta);
  assert.equal(deltas.join(""), response.output[0].content[0].text);
  assert.deepEqual((await openai.responses.retrieve(response.id)).output, response.output);
});

test("openai_keeps_a_conversation", async () => {
  const conversation = await openai.conversations.create({ metadata: { topic: "smoke" } });
  const response = await openai.responses.create({ model, input: PROMPT, conversation: conversation.id, max_output_tokens: MAX_TOKENS });
  const items = [];
  for await (const item of openai.conversations.items.list(conversation.id, { order: "asc" })) items.push(item);
  assert.deepEqual(items.map(({ role }) => role), ["user", "assistant"]);
  assert.equal(items[1].content[0].text, response.output_text);
  assert.equal((await openai.conversations.delete(conversation.id)).deleted, true);
});

test("anthropic_creates_streams_and_counts", async () => {
  const message = await anthropic.messages.create({ model, max_tokens: MAX_TOKENS, messages });
  assert.equal(message.content[0].type, "text");
  assert.ok(["end_turn", "max_tokens"].includes(message.stop_reason));
  assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens <= MAX_TOKENS);
  const pieces = [];
  const streamed = await anthropic.messages.stream({ model, max_tokens: MAX_TOKENS, messages }).on("text", (text) => pieces.push(text)).finalMessage();
  assert.equal(pieces.join(""), streamed.content[0].text);
  const { input_tokens } = await anthropic.messages.countTokens({ model, messages });
  assert.ok(input_tokens > 0);
});

test("openai_agents_answers", async () => {
  // To this package an answer that reaches its limit is an error.
  const agent = new Agent({ name: "Greeter", model: new OpenAIResponsesModel(openai, model), modelSettings: { maxTokens: 512 } });
  const result = await new Runner().run(agent, PROMPT);
  assert.ok(result.finalOutput.length > 0);
});

for (const [name, provider] of [
  ["openai", createOpenAI({ baseURL, apiKey })],
  ["anthropic", createAnthropic({ baseURL, apiKey })],
]) {
  test(`the_ai_sdk_answers_and_streams_by_its_${name}_provider`, async () => {
    const settings = { model: provider(model), prompt: PROMPT, maxOutputTokens: MAX_TOKENS, maxRetries: 0 };
    const whole = await generateText(settings);
    assert.ok(whole.text.length > 0 && whole.usage.inputTokens > 0);
    const streamed = streamText(settings);
    let text = "";
    for await (const piece of streamed.textStream) text += piece;
    assert.ok(text.length > 0);
    assert.ok(["stop", "length"].includes(await streamed.finishReason));
  });
}
