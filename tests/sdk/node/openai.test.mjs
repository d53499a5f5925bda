// The unmodified official `openai` package against the running Workers and the local model.
//
// CI's model is small and gets facts wrong, so these tests check the format and the usage
// of responses, not their content.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import OpenAI from "openai";

const described = process.env.CLAWLESS_DEV_JSON;
if (!described) {
  throw new Error("Set CLAWLESS_DEV_JSON to the dev.json of a running stack (cargo xtask dev --detach writes it).");
}
const { base_url: baseURL, secret_key: apiKey, model } = JSON.parse(readFileSync(described, "utf8"));
// Only the base URL and the key differ from any other use. The local model is slow.
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 300_000 });

const COUNT = [{ role: "user", content: "Count from one to one hundred, in words." }];
const HELLO = [{ role: "user", content: "Say hello." }];
/** Settings for repeatable responses. */
const STEADY = { temperature: 0, seed: 7 };
/** Prevents the model from ending its response early: its end tokens. */
const ENDLESS = { logit_bias: { 0: -100, 1: -100, 2: -100 } };

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.flatMap((chunk) => chunk.choices).map((choice) => choice.delta.content ?? "").join("");

describe("models", () => {
  test("are_listed_and_the_default_is_among_them", async () => {
    const models = await collect(await client.models.list());
    const ids = models.map((one) => one.id);
    assert.ok(ids.includes(model) && ids.includes("auto"), `${ids}`);
    assert.ok(models.every((one) => one.object === "model" && one.owned_by !== "" && Number.isInteger(one.created)));
  });

  test("are_retrieved_one_by_one", async () => {
    assert.equal((await client.models.retrieve(model)).id, model);
  });
});

describe("a chat", () => {
  test("has_a_response_and_usage", async () => {
    const completion = await client.chat.completions.create({ model, messages: HELLO, max_tokens: 24, ...STEADY });
    assert.equal(completion.object, "chat.completion");
    assert.match(completion.id, /^chatcmpl-/);
    assert.match(completion._request_id, /^req_/);
    assert.equal(completion.choices.length, 1);
    assert.equal(completion.choices[0].message.role, "assistant");
    assert.ok(completion.choices[0].message.content.length > 0);
    assert.ok(["stop", "length"].includes(completion.choices[0].finish_reason));
    const { prompt_tokens, completion_tokens, total_tokens } = completion.usage;
    assert.ok(prompt_tokens > 0 && completion_tokens > 0 && completion_tokens <= 24);
    assert.equal(total_tokens, prompt_tokens + completion_tokens);
  });

  for (const limit of ["max_tokens", "max_completion_tokens"]) {
    test(`respects_${limit}_with_finish_reason_length`, async () => {
      const completion = await client.chat.completions.create({ model, messages: COUNT, [limit]: 5, ...ENDLESS });
      assert.equal(completion.usage.completion_tokens, 5);
      assert.equal(completion.choices[0].finish_reason, "length");
    });
  }

  test("ends_at_a_stop_sequence_that_is_not_in_it", async () => {
    const completion = await client.chat.completions.create({ model, messages: COUNT, max_tokens: 64, stop: ["e", "E"], ...STEADY });
    assert.equal(completion.choices[0].finish_reason, "stop");
    assert.ok(!/e/i.test(completion.choices[0].message.content));
    assert.ok(completion.usage.completion_tokens < 64);
  });
});

describe("a stream", () => {
  test("carries_the_response_in_pieces_without_usage", async () => {
    const chunks = await collect(await client.chat.completions.create({ model, messages: COUNT, max_tokens: 24, stream: true, ...STEADY, ...ENDLESS }));
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
    assert.equal(new Set(chunks.map((chunk) => chunk.created)).size, 1);
    assert.equal(chunks[0].choices[0].delta.role, "assistant");
    assert.ok(["stop", "length"].includes(chunks.at(-1).choices[0].finish_reason));
    assert.ok(chunks.every((chunk) => !chunk.usage && chunk.choices.length === 1));
    assert.ok(chunks.filter((chunk) => chunk.choices[0].delta.content).length > 3, "it arrives in several pieces");
  });

  test("equals_the_whole_response_in_text_and_usage", async () => {
    const request = { model, messages: HELLO, max_tokens: 24, ...STEADY };
    const whole = await client.chat.completions.create(request);
    const chunks = await collect(await client.chat.completions.create({ ...request, stream: true, stream_options: { include_usage: true } }));
    assert.equal(textOf(chunks), whole.choices[0].message.content);
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.total_tokens, whole.usage.total_tokens);
    assert.ok(chunks.slice(0, -1).every((chunk) => chunk.usage === null));
  });

  test("is_accumulated_by_the_packages_helper", async () => {
    const deltas = [];
    const runner = client.chat.completions.stream({ model, messages: HELLO, max_tokens: 12 });
    runner.on("content", (delta) => deltas.push(delta));
    const completion = await runner.finalChatCompletion();
    assert.equal(deltas.join(""), completion.choices[0].message.content);
  });

  test("may_be_cancelled_early_and_the_server_still_works", async () => {
    const stream = await client.chat.completions.create({ model, messages: COUNT, max_tokens: 200, stream: true, ...ENDLESS });
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content) break;
    }
    const completion = await client.chat.completions.create({ model, messages: HELLO, max_tokens: 4 });
    assert.equal(completion.choices.length, 1);
  });
});

describe("a session", () => {
  const sayHello = async (session) => {
    const completion = await client.chat.completions.create({ model, messages: HELLO, max_tokens: 8 }, { headers: { "x-session-id": session } });
    return completion.usage;
  };

  /** Sends the same message in the session from another process that only has the session's id. */
  async function inAnotherProcess(session) {
    const script = `
      import OpenAI from "openai";
      const [baseURL, apiKey, model, session_id] = process.argv.slice(1);
      const client = new OpenAI({ baseURL, apiKey, timeout: 300_000 });
      const messages = [{ role: "user", content: "Say hello." }];
      const { data, response } = await client.chat.completions.create({ model, messages, max_tokens: 8, session_id }).withResponse();
      console.log(JSON.stringify({ tokens: data.usage.prompt_tokens, session: response.headers.get("x-session-id") }));`;
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script, baseURL, apiKey, model, session], { cwd: import.meta.dirname });
    return JSON.parse(stdout);
  }

  test("is_continued_by_another_process", async () => {
    const session = `node-${randomUUID()}`;
    const first = await sayHello(session);
    const continued = await inAnotherProcess(session);
    assert.equal(continued.session, session);
    // The prompt of the second turn contains the first turn (message and response) and the same message again.
    assert.ok(continued.tokens >= first.prompt_tokens + first.completion_tokens, `${continued.tokens} after ${JSON.stringify(first)}`);
    assert.ok((await sayHello(session)).prompt_tokens > continued.tokens);
    assert.equal((await sayHello(`${session}-fresh`)).prompt_tokens, first.prompt_tokens, "another session has no history");
  });

  test("stores_a_streamed_turn", async () => {
    const session_id = `node-${randomUUID()}`;
    const request = { model, messages: HELLO, max_tokens: 8, stream: true, stream_options: { include_usage: true }, session_id };
    const first = (await collect(await client.chat.completions.create(request))).at(-1).usage;
    const second = (await collect(await client.chat.completions.create(request))).at(-1).usage;
    assert.ok(second.prompt_tokens >= first.prompt_tokens + first.completion_tokens);
  });
});

describe("an error", () => {
  for (const [param, wrong] of Object.entries({
    temperature: { temperature: 5 },
    max_tokens: { max_tokens: -1 },
    messages: { messages: [] },
    stop: { stop: ["a", "b", "c", "d", "e"] },
    top_p: { top_p: "much" },
  })) {
    test(`about_${param}_is_a_BadRequestError_that_names_it`, async () => {
      await assert.rejects(client.chat.completions.create({ model, messages: HELLO, ...wrong }), (error) => {
        assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
        assert.equal(error.status, 400);
        assert.equal(error.param, param);
        assert.equal(error.type, "invalid_request_error");
        assert.match(error.requestID, /^req_/);
        return true;
      });
    });
  }

  test("about_the_key_is_an_AuthenticationError", async () => {
    const stranger = new OpenAI({ baseURL, apiKey: "cl_sk_wrong", maxRetries: 0 });
    await assert.rejects(stranger.chat.completions.create({ model, messages: HELLO }), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError, `${error}`);
      assert.equal(error.status, 401);
      assert.equal(error.code, "invalid_api_key");
      return true;
    });
  });

  test("about_the_model_is_a_NotFoundError", async () => {
    for (const send of [
      () => client.models.retrieve("no-such-model"),
      () => client.chat.completions.create({ model: "no-such-model", messages: HELLO }),
    ]) {
      await assert.rejects(send(), (error) => {
        assert.ok(error instanceof OpenAI.NotFoundError, `${error}`);
        assert.equal(error.code, "model_not_found");
        return true;
      });
    }
  });

  test("about_the_path_is_a_NotFoundError", async () => {
    await assert.rejects(client.embeddings.create({ model: "any", input: "text" }), OpenAI.NotFoundError);
  });

  for (const [status, send] of Object.entries({
    405: () => client.get("/chat/completions"),
    413: () => client.chat.completions.create({ model, messages: [{ role: "user", content: "a".repeat(5_000_000) }] }),
    415: () => client.chat.completions.create({ model, messages: HELLO }, { headers: { "content-type": "text/plain" } }),
  })) {
    test(`with_status_${status}_is_an_APIError_with_it`, async () => {
      await assert.rejects(send(), (error) => {
        assert.ok(error instanceof OpenAI.APIError, `${error}`);
        assert.equal(error.status, Number(status));
        assert.ok(error.error.message.length > 0);
        return true;
      });
    });
  }

  test("about_a_prompt_that_does_not_fit_has_openais_code", async () => {
    await assert.rejects(client.chat.completions.create({ model, messages: [{ role: "user", content: "word ".repeat(200_000) }] }), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
      assert.equal(error.code, "context_length_exceeded");
      return true;
    });
  });
});
