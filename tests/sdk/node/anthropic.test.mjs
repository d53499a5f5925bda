// The unmodified official `@anthropic-ai/sdk` package against models of every wire format.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { CALLS, SIGNATURE, startScripted, THOUGHT } from "../../harness/scripted.mjs";

let gateway;
let client;
let acting;
before(async () => {
  gateway = await startScripted();
  const connect = (apiKey) => new Anthropic({ baseURL: new URL(gateway.base_url).origin, apiKey, maxRetries: 0, timeout: 60_000 });
  [client, acting] = [connect(gateway.secret_key), connect(gateway.acting_key)];
});
after(() => gateway?.stop());

const messages = [{ role: "user", content: "Say hello." }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const TOOLS = CALLS.map(({ name }) => ({ name, input_schema: parameters }));
/** The tool results by call id. */
const RESULTS = Object.fromEntries(CALLS.map(({ id, name }) => [id, `${name}: 21 °C, "fine"`]));
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const create = (model, fields = {}) => client.messages.create({ model, max_tokens: 2048, messages, ...fields });
const stream = (model, fields = {}) => client.messages.stream({ model, max_tokens: 2048, messages, ...fields });
const textOf = (message) => message.content.filter(({ type }) => type === "text").map(({ text }) => text).join("");

describe("a message", () => {
  test("is_created_whole_and_streamed_on_every_wire", async () => {
    for (const model of gateway.good) {
      const message = await create(model);
      assert.deepEqual([message.type, message.role, message.model, textOf(message)], ["message", "assistant", model, "Hello there."]);
      assert.match(message.id, /^msg_/u);
      assert.match(message._request_id, /^req_/u);
      assert.deepEqual([message.stop_reason, message.stop_sequence], ["end_turn", null]);
      assert.ok(message.usage.input_tokens > 0 && message.usage.output_tokens > 0);
      const pieces = [];
      const streamed = await stream(model).on("text", (text) => pieces.push(text)).finalMessage();
      assert.equal(textOf(streamed), "Hello there.");
      assert.equal(pieces.join(""), "Hello there.");
      assert.deepEqual(streamed.usage, message.usage, model);
    }
  });

  test("is_an_error_for_every_stream_that_breaks", async () => {
    const broken = [...gateway.breaks, ...gateway.early];
    const outcomes = await Promise.all(broken.map((model) => stream(model).finalMessage().then((value) => [model, value], (error) => [model, error])));
    for (const [model, error] of outcomes) assert.ok(error instanceof Anthropic.APIError, `${model}: ${JSON.stringify(error)}`);
    const iterated = await Promise.all(broken.map(async (model) => {
      try {
        for await (const event of await create(model, { stream: true })) assert.ok(event.type);
      } catch (error) {
        return [model, error];
      }
      return [model, undefined];
    }));
    for (const [model, error] of iterated) assert.ok(error instanceof Anthropic.APIError, model);
  });

  test("is_an_error_for_every_body_that_breaks", async () => {
    for (const model of [...gateway.whole, ...gateway.early]) await assert.rejects(create(model), Anthropic.APIError, model);
  });

  test("of_an_image_reaches_the_model_on_every_wire", async () => {
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: PIXEL } };
    for (const model of gateway.converse) {
      const content = [{ type: "text", text: "What is this?" }, image];
      const message = await create(model, { messages: [{ role: "user", content }] });
      assert.equal(JSON.parse(textOf(message)).images, 1, model);
    }
  });

  test("of_a_session_continues_it", async () => {
    for (const model of gateway.converse) {
      const headers = { "x-session-id": `anthropic-${model}` };
      await client.messages.create({ model, max_tokens: 64, messages: [{ role: "user", content: [{ type: "text", text: "I am Ada." }] }] }, { headers });
      const message = await client.messages.create({ model, max_tokens: 64, messages }, { headers });
      assert.equal(JSON.parse(textOf(message)).ada, true, model);
    }
  });

  test("of_a_server_tool_runs_it_and_ends_normally", async () => {
    for (const model of gateway.acts) {
      const message = await acting.messages.stream({ model, max_tokens: 2048, messages }).finalMessage();
      assert.match(textOf(message), /^It is 20/u);
      assert.deepEqual([message.stop_reason, message.content.every(({ type }) => type === "text")], ["end_turn", true]);
    }
  });
});

describe("tools", () => {
  /** Asserts that the model received its own calls and both results: its last response contains them. */
  const assertRoundTrip = (message) => assert.deepEqual(JSON.parse(textOf(message)), { recalled: CALLS, results: RESULTS });

  test("are_called_in_parallel_and_get_their_results_back", async () => {
    for (const model of gateway.tools) {
      const called = await stream(model, { tools: TOOLS }).finalMessage();
      assert.equal(called.stop_reason, "tool_use");
      const calls = called.content.filter(({ type }) => type === "tool_use").map(({ id, name, input }) => ({ id, name, input }));
      assert.deepEqual(calls, CALLS, model);
      const content = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: RESULTS[id] }));
      const conversation = [...messages, { role: "assistant", content: called.content }, { role: "user", content }];
      assertRoundTrip(await stream(model, { tools: TOOLS, messages: conversation }).finalMessage());
    }
  });

  test("are_run_by_the_tool_runner_to_the_end", async () => {
    // The scripted Workers AI only streams its calls, and the runner requests whole answers.
    for (const model of gateway.tools.filter((model) => !model.startsWith("workers"))) {
      const seen = [];
      const tools = CALLS.map(({ id, name }) => ({
        name,
        input_schema: parameters,
        parse: (input) => input,
        run: (input) => (seen.push({ id, name, input }), RESULTS[id]),
      }));
      const message = await client.beta.messages.toolRunner({ model, max_tokens: 2048, messages, tools, thread: false });
      assert.deepEqual(seen, CALLS, model);
      assertRoundTrip(message);
    }
  });

  test("on_a_thread_are_refused_with_the_reason_that_the_sdk_reads", async () => {
    const [model] = gateway.tools;
    const thread = { type: "create" };
    const failed = create(model, { thread });
    await assert.rejects(failed, (error) => {
      assert.equal(error.status, 400);
      assert.deepEqual(error.error.error.details, { error_code: "thread_unsupported_request", unsupported: ["thread"] });
      return true;
    });
  });
});

describe("reasoning", () => {
  const thinking = { type: "enabled", budget_tokens: 1024 };

  test("is_streamed_with_its_signature_and_returned_to_its_provider", async () => {
    const [model] = gateway.thinks;
    const message = await stream(model, { thinking }).finalMessage();
    const { signature, ...block } = message.content[0];
    assert.deepEqual(block, { type: "thinking", thinking: THOUGHT });
    // A client's copy names the model that signed.
    assert.equal(JSON.parse(signature.replace("clawless1:", "")).signature, SIGNATURE);
    const conversation = [...messages, { role: "assistant", content: message.content }, messages[0]];
    const next = await stream(model, { thinking, messages: conversation }).finalMessage();
    assert.deepEqual(JSON.parse(textOf(next)), { recalled: [{ ...block, signature: SIGNATURE }], thinking });
  });

  test("without_a_signature_is_shown_and_is_no_signed_block_elsewhere", async () => {
    const [signed, unsigned] = gateway.thinks;
    const message = await stream(unsigned).finalMessage();
    assert.deepEqual(message.content[0], { type: "thinking", thinking: THOUGHT, signature: "" });
    const conversation = [...messages, { role: "assistant", content: message.content }, messages[0]];
    const next = await stream(signed, { thinking, messages: conversation }).finalMessage();
    assert.deepEqual(JSON.parse(textOf(next)).recalled, []);
  });
});

describe("errors", () => {
  test("have_the_class_of_their_status", async () => {
    const wrong = new Anthropic({ baseURL: new URL(gateway.base_url).origin, apiKey: "cl_sk_wrong", maxRetries: 0 });
    const failure = (promise) => promise.then(() => assert.fail("no error"), (error) => error);
    const unauthorized = await failure(wrong.messages.create({ model: "x", max_tokens: 1, messages }));
    assert.ok(unauthorized instanceof Anthropic.AuthenticationError);
    assert.equal(unauthorized.error.error.type, "authentication_error");
    assert.match(unauthorized.requestID, /^req_/u);
    assert.ok((await failure(create("nothing"))) instanceof Anthropic.NotFoundError);
    const invalid = await failure(create(gateway.good[0], { messages: [] }));
    assert.ok(invalid instanceof Anthropic.BadRequestError && invalid.message.includes("messages"), `${invalid}`);
  });
});

test("models_are_listed_page_by_page_and_retrieved", async () => {
  const ids = [];
  for await (const model of client.models.list({ limit: 10 })) ids.push(model.id);
  assert.ok(gateway.good.every((model) => ids.includes(model)), `${ids}`);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal((await client.models.retrieve(gateway.good[0])).type, "model");
});

test("tokens_are_counted", async () => {
  const [model] = gateway.good;
  const { input_tokens: short } = await client.messages.countTokens({ model, messages });
  const { input_tokens: long } = await client.messages.countTokens({ model, messages, tools: TOOLS, system: "Be brief. ".repeat(50) });
  assert.ok(short > 0 && long > short + 50, `${short} ${long}`);
});
