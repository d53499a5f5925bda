// No client mistakes a broken answer for a whole one: the official `openai` package
// and the Vercel AI SDK, unmodified, against models that break in every way.
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

/** Runs `ask` for every model of the lists at once, and gives what became of each. */
async function forEach(lists, ask) {
  const models = lists.flatMap((list) => gateway[list]);
  assert.ok(models.length > 0);
  return Promise.all(models.map(async (model) => [model, await ask(model).then((value) => ({ value }), (error) => ({ error }))]));
}

/** Every model made its client raise an error of the package's own. */
async function assertAllRaise(lists, ask, kind) {
  for (const [model, { value, error }] of await forEach(lists, ask)) {
    assert.ok(error, `${model} passed for whole: ${JSON.stringify(value)}`);
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
  test("raises_an_error_for_every_whole_answer_that_breaks", () => assertAllRaise(["whole", "early"], create, OpenAI.APIError));

  test("raises_none_for_a_good_answer", async () => {
    for (const [model, { value, error }] of await forEach(["good"], run)) assert.equal(value?.choices[0].message.content, "Hello there.", `${model}: ${error}`);
    for (const [model, { value, error }] of await forEach(["good"], create)) assert.equal(value?.choices[0].message.content, "Hello there.", `${model}: ${error}`);
    for (const [model, { value, error }] of await forEach(["good"], iterate)) assert.equal(value?.at(-1).choices[0].finish_reason, "stop", `${model}: ${error}`);
  });
});

describe("the Vercel AI SDK", () => {
  /** What the stream said: its text, its errors, and how it says that it ended. */
  const stream = async (model) => {
    const answer = streamText({ model: aiSdk.chatModel(model), messages, maxRetries: 0, onError: () => {} });
    const parts = [];
    for await (const part of answer.fullStream) parts.push(part);
    const ends = parts.filter(({ type }) => type === "finish").map(({ finishReason }) => finishReason);
    return { parts, errors: parts.filter(({ type }) => type === "error"), calls: parts.filter(({ type }) => type === "tool-call"), ends };
  };
  const generate = (model) => generateText({ model: aiSdk.chatModel(model), messages, maxRetries: 0 });

  test("surfaces_an_error_for_every_stream_that_breaks_and_no_good_end", async () => {
    for (const [model, { value, error }] of await forEach(["breaks", "early"], stream)) {
      assert.equal(error, undefined, `${model}: it reports errors as parts of the stream`);
      assert.ok(value.errors.length >= 1, `${model} passed for whole: ${JSON.stringify(value.parts)}`);
      assert.ok(!value.ends.some((end) => ["stop", "tool-calls", "length"].includes(end)), `${model}: ${value.ends}`);
    }
  });

  test("raises_an_error_for_every_whole_answer_that_breaks", () => assertAllRaise(["whole", "early"], generate, Error));

  test("surfaces_none_for_a_good_answer", async () => {
    for (const [model, { value, error }] of await forEach(["good"], stream)) {
      assert.deepEqual([value?.errors, value?.ends], [[], ["stop"]], `${model}: ${error}`);
    }
    for (const [model, { value, error }] of await forEach(["good"], generate)) assert.equal(value?.text, "Hello there.", `${model}: ${error}`);
  });
});
