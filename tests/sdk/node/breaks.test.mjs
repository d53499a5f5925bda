// No client accepts a broken response as complete: the unmodified official `openai` package
// and the Vercel AI SDK against models with all faults.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI from "openai";
import { startScripted } from "../../harness/scripted.mjs";

let gateway;
let client;
let aiSdk;
before(async () => {
  gateway = await startScripted();
  client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0, timeout: 60_000 });
  aiSdk = createOpenAICompatible({ name: "clawless", baseURL: gateway.base_url, apiKey: gateway.secret_key, includeUsage: true });
});
after(() => gateway?.stop());

const messages = [{ role: "user", content: "Say hello." }];

/** Runs `send` for all models of the lists concurrently; returns the value or error of each. */
async function forEach(lists, send) {
  const models = lists.flatMap((list) => gateway[list]);
  assert.ok(models.length > 0);
  return Promise.all(models.map(async (model) => [model, await send(model).then((value) => ({ value }), (error) => ({ error }))]));
}

/** Asserts that every model makes the client throw an error of class `kind`. */
async function assertAllRaise(lists, send, kind) {
  for (const [model, { value, error }] of await forEach(lists, send)) {
    assert.ok(error, `${model} was accepted as complete: ${JSON.stringify(value)}`);
    assert.ok(error instanceof kind, `${model}: ${error}`);
  }
}

describe("openai-node", () => {
  const iterate = async (model) => {
    const chunks = [];
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) chunks.push(chunk);
    return chunks;
  };
  const run = (model) => client.chat.completions.stream({ model, messages }).finalChatCompletion();
  const create = (model) => client.chat.completions.create({ model, messages });

  test("raises_an_error_for_every_stream_that_breaks", () => assertAllRaise(["breaks", "early"], iterate, OpenAI.APIError));
  test("raises_an_error_from_its_accumulator_for_every_stream_that_breaks", () => assertAllRaise(["breaks", "early"], run, OpenAI.APIError));
  test("raises_an_error_for_every_whole_response_that_breaks", () => assertAllRaise(["whole", "early"], create, OpenAI.APIError));

  test("raises_none_for_a_good_response", async () => {
    for (const [model, { value, error }] of await forEach(["good"], run)) assert.equal(value?.choices[0].message.content, "Hello there.", `${model}: ${error}`);
    for (const [model, { value, error }] of await forEach(["good"], create)) assert.equal(value?.choices[0].message.content, "Hello there.", `${model}: ${error}`);
    for (const [model, { value, error }] of await forEach(["good"], iterate)) assert.equal(value?.at(-1).choices[0].finish_reason, "stop", `${model}: ${error}`);
  });
});

describe("the Vercel AI SDK", () => {
  /** The parts of a stream: its text, its errors and its finish reasons. */
  const stream = async (model) => {
    const answer = streamText({ model: aiSdk.chatModel(model), messages, maxRetries: 0, onError: () => {} });
    const parts = [];
    for await (const part of answer.fullStream) parts.push(part);
    const ends = parts.filter(({ type }) => type === "finish").map(({ finishReason }) => finishReason);
    return { parts, errors: parts.filter(({ type }) => type === "error"), calls: parts.filter(({ type }) => type === "tool-call"), ends };
  };
  const generate = (model) => generateText({ model: aiSdk.chatModel(model), messages, maxRetries: 0 });

  test("surfaces_an_error_for_every_stream_that_breaks_and_no_finish_reason", async () => {
    for (const [model, { value, error }] of await forEach(["breaks", "early"], stream)) {
      assert.equal(error, undefined, `${model}: errors are parts of the stream`);
      assert.ok(value.errors.length >= 1, `${model} was accepted as complete: ${JSON.stringify(value.parts)}`);
      assert.ok(!value.ends.some((end) => ["stop", "tool-calls", "length"].includes(end)), `${model}: ${value.ends}`);
    }
  });

  test("raises_an_error_for_every_whole_response_that_breaks", () => assertAllRaise(["whole", "early"], generate, Error));

  test("surfaces_none_for_a_good_response", async () => {
    for (const [model, { value, error }] of await forEach(["good"], stream)) {
      assert.deepEqual([value?.errors, value?.ends], [[], ["stop"]], `${model}: ${error}`);
    }
    for (const [model, { value, error }] of await forEach(["good"], generate)) assert.equal(value?.text, "Hello there.", `${model}: ${error}`);
  });
});
