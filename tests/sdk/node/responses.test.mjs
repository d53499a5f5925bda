// The unmodified official `openai` package on the Responses surface: responses and conversations, on
// scripted models of every wire format.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { completionOrStream } from "../../harness/behaviours.mjs";
import { CALLS, CUSTOM, SIGNATURE, startScripted, THOUGHT } from "../../harness/scripted.mjs";
import { startStack } from "../../harness/stack.mjs";

const MODEL = "scripted-model";
let stack;
let gateway;
let client;
let scripted;
before(async () => {
  [stack, gateway] = await Promise.all([startStack(), startScripted()]);
  client = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: stack.key, maxRetries: 0, timeout: 60_000 });
  scripted = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0, timeout: 60_000 });
});
after(() => Promise.all([stack?.stop(), gateway?.stop()]));

const collect = async (stream) => {
  const all = [];
  for await (const one of stream) all.push(one);
  return all;
};
/** The texts of the messages that the provider got last. */
const sent = () => stack.upstream.lastBody.messages.map(({ role, content }) => [role, content]);
const notFound = (error) => error instanceof OpenAI.NotFoundError && error.code === "resource_not_found";

describe("a response", () => {
  test("is_created_with_its_text_and_usage", async () => {
    const response = await client.responses.create({ model: MODEL, input: "Say hello.", instructions: "Be kind.", metadata: { a: "b" } });
    assert.equal(response.output_text, "Hello there.");
    assert.equal(response.status, "completed");
    assert.match(response.id, /^resp_/);
    assert.match(response._request_id, /^req_/);
    assert.deepEqual(response.usage, {
      input_tokens: 11, input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: 7, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 18,
    });
    assert.deepEqual([response.instructions, response.metadata, response.store], ["Be kind.", { a: "b" }, true]);
    assert.deepEqual(sent(), [["system", "Be kind."], ["user", "Say hello."]]);
    assert.equal(stack.upstream.lastBody.metadata, undefined, "labels stay in this service");
  });

  test("is_streamed_in_numbered_events_that_add_up_to_it", async () => {
    const events = await collect(await client.responses.create({ model: MODEL, input: "Say hello.", stream: true }));
    assert.deepEqual(events.map((event) => event.sequence_number), events.map((_, index) => index));
    assert.deepEqual(events.slice(0, 4).map(({ type }) => type), ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]);
    const { response } = events.at(-1);
    assert.equal(events.at(-1).type, "response.completed");
    const deltas = events.filter(({ type }) => type === "response.output_text.delta");
    assert.ok(deltas.length > 1, "it arrives in pieces");
    assert.equal(deltas.map(({ delta }) => delta).join(""), response.output[0].content[0].text);
    assert.deepEqual(await client.responses.retrieve(response.id).then(({ output }) => output), response.output);
  });

  test("is_accumulated_by_the_packages_helper", async () => {
    const deltas = [];
    const stream = client.responses.stream({ model: MODEL, input: "Say hello." });
    stream.on("response.output_text.delta", ({ delta }) => deltas.push(delta));
    const response = await stream.finalResponse();
    assert.equal(deltas.join(""), response.output_text);
    assert.equal(response.output_text, "Hello there.");
  });

  test("is_parsed_by_a_schema", async () => {
    stack.upstream.next(completionOrStream({ content: '{"city":"Köln"}' }));
    const text = { format: zodTextFormat(z.object({ city: z.string() }), "place") };
    const response = await client.responses.parse({ model: MODEL, input: "Where?", text });
    assert.deepEqual(response.output_parsed, { city: "Köln" });
    const { response_format: format } = stack.upstream.lastBody;
    assert.equal(format.json_schema.name, "place");
    assert.equal(format.json_schema.strict, true);
  });

  test("is_cut_off_by_the_token_limit", async () => {
    stack.upstream.next(completionOrStream({ finish_reason: "length" }));
    const response = await client.responses.create({ model: MODEL, input: "Count.", max_output_tokens: 16 });
    assert.deepEqual([response.status, response.incomplete_details.reason], ["incomplete", "max_output_tokens"]);
  });

  test("is_retrieved_until_it_is_deleted", async () => {
    const created = await client.responses.create({ model: MODEL, input: "Say hello." });
    const retrieved = await client.responses.retrieve(created.id);
    for (const name of ["id", "output", "usage", "status", "model", "metadata", "tools", "created_at"]) {
      assert.deepEqual(retrieved[name], created[name], name);
    }
    await client.responses.delete(created.id);
    await assert.rejects(client.responses.retrieve(created.id), notFound);
    await assert.rejects(client.responses.delete(created.id), notFound);
    await assert.rejects(client.responses.create({ model: MODEL, input: "More.", previous_response_id: created.id }), notFound);
  });

  test("is_not_kept_without_store", async () => {
    const created = await client.responses.create({ model: MODEL, input: "Say hello.", store: false });
    assert.equal(created.store, false);
    await assert.rejects(client.responses.retrieve(created.id), notFound);
  });

  test("cannot_be_cancelled_once_it_is_complete", async () => {
    const created = await client.responses.create({ model: MODEL, input: "Say hello." });
    await assert.rejects(client.responses.cancel(created.id), OpenAI.BadRequestError);
    await assert.rejects(client.responses.cancel("resp_01ARZ3NDEKTSV4RRFFQ69G5FAV"), notFound);
  });

  test("lists_its_input_items_in_pages", async () => {
    const input = [
      { role: "user", content: [{ type: "input_text", text: "one" }, { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "two", annotations: [] }] },
      { role: "user", content: "three" },
    ];
    const created = await client.responses.create({ model: MODEL, input });
    const items = await collect(client.responses.inputItems.list(created.id, { order: "asc", limit: 2 }));
    assert.deepEqual(items.map(({ role }) => role), ["user", "assistant", "user"]);
    assert.deepEqual(items[0].content, [{ type: "input_text", text: "one" }, { type: "input_image", image_url: "data:image/png;base64,AAAA", detail: "low" }]);
    const newestFirst = await collect(client.responses.inputItems.list(created.id));
    assert.deepEqual(newestFirst.map(({ id }) => id), items.map(({ id }) => id).reverse());
  });

  test("counts_the_tokens_of_its_input", async () => {
    const { input_tokens: few, object } = await client.responses.inputTokens.count({ model: MODEL, input: "Say hello." });
    assert.equal(object, "response.input_tokens");
    const { input_tokens: many } = await client.responses.inputTokens.count({ model: MODEL, input: "Say hello. ".repeat(50) });
    assert.ok(few > 0 && many > few + 50);
  });

  test("rejects_what_does_not_exist_here_by_name", async () => {
    for (const [more, param] of [
      [{ background: true }, "background"],
      [{ tools: [{ type: "web_search" }] }, "tools[0].type"],
      [{ prompt: { id: "p" } }, "prompt"],
    ]) {
      await assert.rejects(client.responses.create({ model: MODEL, input: "a", ...more }), (error) => error instanceof OpenAI.BadRequestError && error.param === param);
    }
  });
});

describe("a response that continues another one", () => {
  test("sees_its_history_and_not_its_instructions", async () => {
    const first = await client.responses.create({ model: MODEL, input: "one", instructions: "Be kind." });
    const second = await client.responses.create({ model: MODEL, input: "two", previous_response_id: first.id });
    assert.equal(second.previous_response_id, first.id);
    assert.deepEqual(sent(), [["user", "one"], ["assistant", "Hello there."], ["user", "two"]]);
    await client.responses.create({ model: MODEL, input: "three", previous_response_id: second.id, instructions: "Be terse." });
    assert.deepEqual(sent().map(([, content]) => content), ["Be terse.", "one", "Hello there.", "two", "Hello there.", "three"]);
  });

  test("branches_off_if_another_one_continued_it_before", async () => {
    const first = await client.responses.create({ model: MODEL, input: "one" });
    const one = await client.responses.create({ model: MODEL, input: "branch 1", previous_response_id: first.id });
    const two = await client.responses.create({ model: MODEL, input: "branch 2", previous_response_id: first.id });
    assert.deepEqual(sent().map(([, content]) => content), ["one", "Hello there.", "branch 2"]);
    for (const [branch, text] of [[one, "branch 1"], [two, "branch 2"]]) {
      await client.responses.create({ model: MODEL, input: "more", previous_response_id: branch.id });
      assert.deepEqual(sent().map(([, content]) => content), ["one", "Hello there.", text, "Hello there.", "more"]);
    }
  });

  test("may_be_forgotten_itself", async () => {
    const first = await client.responses.create({ model: MODEL, input: "one" });
    const second = await client.responses.create({ model: MODEL, input: "two", previous_response_id: first.id, store: false });
    assert.deepEqual(sent().map(([, content]) => content), ["one", "Hello there.", "two"]);
    await assert.rejects(client.responses.retrieve(second.id), notFound);
    await client.responses.create({ model: MODEL, input: "three", previous_response_id: first.id });
    assert.deepEqual(sent().map(([, content]) => content), ["one", "Hello there.", "three"]);
  });

  test("may_refer_to_its_items", async () => {
    const first = await client.responses.create({ model: MODEL, input: "one" });
    const input = [{ role: "user", content: "one" }, { type: "item_reference", id: first.output[0].id }, { role: "user", content: "two" }];
    await client.responses.create({ model: MODEL, input });
    assert.deepEqual(sent(), [["user", "one"], ["assistant", "Hello there."], ["user", "two"]]);
    await assert.rejects(client.responses.create({ model: MODEL, input: [{ type: "item_reference", id: "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV_0" }] }), notFound);
  });
});

describe("a conversation", () => {
  test("is_created_changed_and_deleted", async () => {
    const created = await client.conversations.create({ metadata: { topic: "tests" } });
    assert.deepEqual([created.object, created.metadata], ["conversation", { topic: "tests" }]);
    const changed = await client.conversations.update(created.id, { metadata: { topic: "more" } });
    assert.deepEqual(changed.metadata, { topic: "more" });
    assert.deepEqual(await client.conversations.retrieve(created.id), changed);
    const deleted = await client.conversations.delete(created.id);
    assert.deepEqual({ ...deleted }, { id: created.id, object: "conversation.deleted", deleted: true });
    await assert.rejects(client.conversations.retrieve(created.id), notFound);
  });

  test("carries_the_history_of_its_responses", async () => {
    const { id } = await client.conversations.create();
    const first = await client.responses.create({ model: MODEL, input: "one", conversation: id });
    assert.deepEqual(first.conversation, { id });
    await client.responses.create({ model: MODEL, input: "two", conversation: { id } });
    assert.deepEqual(sent().map(([, content]) => content), ["one", "Hello there.", "two"]);
    const items = await collect(client.conversations.items.list(id, { order: "asc", limit: 3 }));
    assert.deepEqual(items.map(({ role }) => role), ["user", "assistant", "user", "assistant"]);
    assert.equal(items[1].content[0].text, "Hello there.");
    assert.equal(new Set(items.map((item) => item.id)).size, 4);
    const newestFirst = await collect(client.conversations.items.list(id, { limit: 1 }));
    assert.deepEqual(newestFirst.map((item) => item.id), items.map((item) => item.id).reverse());
  });
});

describe("tools", () => {
  const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
  const tools = CALLS.map(({ name }) => ({ type: "function", name, parameters, strict: false }));
  const results = Object.fromEntries(CALLS.map(({ id, name }) => [id, `${name}: 21 °C, "fine"`]));
  const outputs = (items) => items.map(({ call_id, type }) => ({ type: `${type}_output`, call_id, output: results[call_id] ?? "42" }));

  test("are_called_and_answered_on_every_wire_format", async () => {
    assert.equal(gateway.tools.length, 3, "one per wire format");
    for (const model of gateway.tools) {
      const first = await scripted.responses.stream({ model, input: "Weather and time?", tools }).finalResponse();
      const calls = first.output.filter(({ type }) => type === "function_call");
      assert.deepEqual(calls.map(({ call_id: id, name, arguments: text }) => ({ id, name, input: JSON.parse(text) })), CALLS);
      const second = await scripted.responses.stream({ model, previous_response_id: first.id, input: outputs(calls), tools }).finalResponse();
      assert.deepEqual(JSON.parse(second.output_text), { recalled: CALLS, results });
      const stateless = [{ role: "user", content: "Weather and time?" }, ...first.output, ...outputs(calls)];
      const third = await scripted.responses.stream({ model, input: stateless, tools, store: false }).finalResponse();
      assert.deepEqual(JSON.parse(third.output_text), { recalled: CALLS, results });
    }
  });

  test("may_be_custom", async () => {
    for (const model of gateway.custom) {
      const custom = [{ type: "custom", name: CUSTOM.name, format: { type: "grammar", syntax: "regex", definition: ".*" } }, ...tools];
      const first = await scripted.responses.stream({ model, input: "Query.", tools: custom }).finalResponse();
      const [call, other] = first.output.filter(({ type }) => type.endsWith("_call"));
      assert.deepEqual([call.type, call.call_id, call.name, call.input], ["custom_tool_call", CUSTOM.id, CUSTOM.name, CUSTOM.input]);
      const second = await scripted.responses.stream({ model, previous_response_id: first.id, input: outputs([call, other]), tools: custom }).finalResponse();
      const { recalled, tools: seen } = JSON.parse(second.output_text);
      assert.deepEqual(recalled, [CUSTOM]);
      assert.deepEqual(seen[0].custom.format, { type: "grammar", grammar: { syntax: "regex", definition: ".*" } });
    }
  });

  test("of_the_server_run_within_one_response", async () => {
    const acting = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.acting_key, maxRetries: 0, timeout: 60_000 });
    for (const model of gateway.acts) {
      const body = { model, input: "What is the time?" };
      for (const response of [await acting.responses.stream(body).finalResponse(), await acting.responses.create(body)]) {
        assert.match(response.output_text, /^It is \d{4}-/);
        assert.deepEqual(response.output.map(({ type }) => type), ["message"]);
        assert.equal(response.clawless.tool_executions.at(-1).tool, "time_now");
      }
    }
  });
});

describe("reasoning", () => {
  test("is_an_item_that_a_stored_response_has_too", async () => {
    for (const model of gateway.thinks) {
      for (const more of [{}, { reasoning: { summary: "auto" } }]) {
        const events = await collect(await scripted.responses.create({ model, input: "Think.", stream: true, ...more }));
        const { response } = events.at(-1);
        const [reasoning, message] = response.output;
        assert.deepEqual([reasoning.type, message.type], ["reasoning", "message"], model);
        assert.equal((more.reasoning ? reasoning.summary : reasoning.content)[0].text, THOUGHT);
        assert.deepEqual((await scripted.responses.retrieve(response.id)).output, response.output);
      }
    }
  });

  test("has_its_signature_on_request_and_may_be_sent_back", async () => {
    const [model] = gateway.thinks;
    const include = ["reasoning.encrypted_content"];
    const first = await scripted.responses.stream({ model, input: "Think.", include, store: false }).finalResponse();
    assert.ok(first.output[0].encrypted_content.includes(SIGNATURE));
    const input = [{ role: "user", content: "Think." }, ...first.output, { role: "user", content: "More." }];
    await scripted.responses.stream({ model, input, store: false }).finalResponse();
    const { messages } = gateway.models.requestsTo(model).at(-1).body;
    assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "user"]);
    assert.ok(!JSON.stringify(messages).includes("clawless"), "its own names stay here");
  });
});

describe("a broken answer", () => {
  test("is_never_a_completed_response", async () => {
    for (const model of gateway.breaks) {
      const events = await collect(await scripted.responses.create({ model, input: "Say hello.", stream: true }));
      const last = events.at(-1);
      assert.equal(last.type, "response.failed", `${model}: ${JSON.stringify(last)}`);
      assert.equal(last.response.status, "failed");
      assert.ok(!events.some(({ type }) => type === "response.completed" || type === "response.output_item.done"), model);
    }
  });

  test("raises_an_error_if_it_is_whole_or_has_not_begun", async () => {
    for (const model of [...gateway.whole, ...gateway.early]) {
      await assert.rejects(scripted.responses.create({ model, input: "Say hello." }), OpenAI.APIError, model);
    }
    for (const model of gateway.early) {
      await assert.rejects(async () => collect(await scripted.responses.create({ model, input: "Say hello.", stream: true })), OpenAI.APIError, model);
    }
  });
});
