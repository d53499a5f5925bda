// The stream format that official SDKs read: order, ids, and members that never occur.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { completion, chunk, events, openingEvents, PROVIDER_SECRET, stream, USAGE } from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, eventsAsTheyArrive, MODEL, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const WITH_USAGE = { stream_options: { include_usage: true } };

describe("a stream", () => {
  test("goes_role_then_content_then_finish_then_DONE", async () => {
    stack.upstream.next(stream({ pieces: ["Hel", "lo ", "wörld"] }));
    const { response, chunks, data, text } = await completeStream(stack, {});
    assert.match(response.headers.get("content-type"), /^text\/event-stream\b/);
    assert.match(response.headers.get("cache-control"), /\bno-(cache|store)\b/);
    assert.equal(data.at(-1), "[DONE]");
    assert.equal(data.filter((payload) => payload === "[DONE]").length, 1);
    const deltas = chunks.map((one) => one.choices[0]);
    assert.equal(deltas[0].delta.role, "assistant");
    assert.equal(deltas.filter((choice) => choice.delta.role !== undefined).length, 1, "the role comes once");
    assert.deepEqual(deltas.at(-1), { index: 0, delta: {}, finish_reason: "stop", logprobs: null });
    assert.ok(deltas.slice(0, -1).every((choice) => choice.finish_reason === null), "only the last delta has a finish_reason");
    assert.equal(text, "Hello wörld");
  });

  test("has_one_id_and_one_creation_time_that_are_not_the_providers", async () => {
    const { chunks } = await completeStream(stack, {});
    assert.equal(new Set(chunks.map((one) => one.id)).size, 1);
    assert.equal(new Set(chunks.map((one) => one.created)).size, 1);
    assert.match(chunks[0].id, /^chatcmpl-/);
    assert.notEqual(chunks[0].id, "chatcmpl-provider-1");
    assert.ok(Math.abs(chunks[0].created - Date.now() / 1000) < 3600);
    for (const one of chunks) {
      assert.equal(one.object, "chat.completion.chunk");
      assert.equal(one.model, MODEL);
    }
  });

  test("has_no_usage_unless_requested", async () => {
    for (const fields of [{}, { stream_options: { include_usage: false } }, { stream_options: null }]) {
      const { chunks } = await completeStream(stack, fields);
      assert.ok(chunks.every((one) => (one.usage ?? null) === null && one.choices.length === 1), JSON.stringify(chunks));
    }
  });

  test("has_its_usage_once_in_a_last_chunk_without_choices_if_requested", async () => {
    const { chunks, done } = await completeStream(stack, WITH_USAGE);
    const last = chunks.at(-1);
    assert.deepEqual(last.choices, []);
    assert.equal(last.usage.prompt_tokens, USAGE.prompt_tokens);
    assert.equal(last.usage.completion_tokens, USAGE.completion_tokens);
    assert.equal(last.usage.total_tokens, USAGE.total_tokens);
    for (const one of chunks.slice(0, -1)) assert.strictEqual(one.usage, null, "all others carry usage: null");
    assert.ok(done);
  });

  test("always_requests_usage_from_the_provider", async () => {
    for (const fields of [{}, WITH_USAGE, { stream_options: { include_usage: false } }]) {
      await completeStream(stack, fields);
      assert.equal(stack.upstream.lastBody.stream_options.include_usage, true);
    }
  });

  test("does_not_add_up_repeated_usage", async () => {
    stack.upstream.next(events((request) => [
      ...openingEvents(request, ["Hi"]).map((one) => ({ ...one, usage: USAGE })),
      { ...chunk(request, {}, "stop"), usage: USAGE },
      { ...chunk(request, {}), choices: [], usage: USAGE },
      "[DONE]",
    ]));
    const { chunks } = await completeStream(stack, WITH_USAGE);
    assert.deepEqual(chunks.filter((one) => one.usage).map((one) => one.usage.total_tokens), [USAGE.total_tokens]);
  });

  test("has_no_event_id_or_retry_lines_even_if_the_provider_sends_them", async () => {
    stack.upstream.next(events((request) => [
      { raw: "retry: 10\n\n" },
      { raw: ": a comment\n\n" },
      { raw: `event: message\nid: 1\ndata: ${JSON.stringify(chunk(request, { role: "assistant", content: "He" }))}\n\n` },
      { raw: "event: lonely\n\n" },
      { raw: "data:\n\n" },
      { raw: `id: 2\r\ndata:${JSON.stringify(chunk(request, { content: "llo" }, "stop"))}\r\n\r\n` },
      { raw: "id: 3\n: another comment\n\n" },
      "[DONE]",
    ]));
    const { lines, text, done, data } = await completeStream(stack, {});
    assert.ok(lines.every((line) => line.startsWith(":")), `only comments beside data: ${JSON.stringify(lines)}`);
    assert.ok(data.every((payload) => payload !== ""), "no empty data line");
    assert.equal(text, "Hello");
    assert.ok(done);
  });

  test("carries_text_that_looks_like_a_stream_as_text", async () => {
    const nasty = 'a\n\ndata: [DONE]\n\nevent: x\r\ndata: {"choices":null}\u2028\u0085b';
    stack.upstream.next(stream({ pieces: [nasty, "[DONE]"] }));
    const { text, data } = await completeStream(stack, {});
    assert.equal(text, `${nasty}[DONE]`);
    assert.equal(data.filter((payload) => payload === "[DONE]").length, 1);
  });

  test("reaches_the_client_as_it_is_produced", async () => {
    let release;
    const released = new Promise((resolve) => (release = resolve));
    stack.upstream.next(events((request) => openingEvents(request, ["first"]), {
      ending: async (response) => {
        await released;
        response.end('data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":" second"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
      },
    }));
    const seen = [];
    for await (const event of eventsAsTheyArrive(await postChat(stack, chatBody({ stream: true })))) {
      seen.push(event);
      // The upstream sends the remaining text only after the client has received the first.
      if (event.includes("first")) release();
    }
    assert.ok(seen.some((event) => event.includes("second")));
    assert.equal(seen.at(-1), "data: [DONE]");
  });

  test("keeps_several_choices_apart", async () => {
    stack.upstream.next(events((request) => [
      ...[0, 1].map((index) => ({ ...chunk(request, {}), choices: [{ index, delta: { role: "assistant", content: "" }, finish_reason: null }] })),
      ...[0, 1, 0, 1].map((index) => ({ ...chunk(request, {}), choices: [{ index, delta: { content: `${index}` }, finish_reason: null }] })),
      ...[0, 1].map((index) => ({ ...chunk(request, {}), choices: [{ index, delta: {}, finish_reason: "stop" }] })),
      { ...chunk(request, {}), choices: [], usage: USAGE },
      "[DONE]",
    ]));
    const { chunks, done } = await completeStream(stack, { n: 2 });
    for (const index of [0, 1]) {
      const choices = chunks.flatMap((one) => one.choices).filter((choice) => choice.index === index);
      assert.equal(choices.map((choice) => choice.delta.content ?? "").join(""), `${index}${index}`);
      assert.equal(choices.at(-1).finish_reason, "stop");
    }
    assert.ok(done);
  });

  test("carries_tool_calls_with_their_name_once_and_an_index_each", async () => {
    const call = (index, fields) => ({ tool_calls: [{ index, ...fields }] });
    stack.upstream.next(events((request) => [
      chunk(request, { role: "assistant", content: null }),
      chunk(request, call(0, { id: "call_a", type: "function", function: { name: "weather", arguments: "" } })),
      chunk(request, call(1, { id: "call_b", type: "function", function: { name: "time", arguments: "" } })),
      chunk(request, call(0, { function: { arguments: '{"city":' } })),
      chunk(request, call(1, { function: { arguments: "{}" } })),
      chunk(request, call(0, { function: { arguments: '"Bern"}' } })),
      chunk(request, {}, "tool_calls"),
      "[DONE]",
    ]));
    const tools = ["weather", "time"].map((name) => ({ type: "function", function: { name, parameters: { type: "object", properties: {} } } }));
    const { chunks } = await completeStream(stack, { tools });
    const calls = new Map();
    for (const delta of chunks.flatMap((one) => one.choices[0].delta.tool_calls ?? [])) {
      assert.ok(Number.isInteger(delta.index));
      const seen = calls.get(delta.index) ?? { ids: [], names: [], arguments: "" };
      if (delta.id !== undefined) seen.ids.push(delta.id);
      if (delta.function.name !== undefined) seen.names.push(delta.function.name);
      seen.arguments += delta.function.arguments ?? "";
      calls.set(delta.index, seen);
    }
    assert.deepEqual(Object.fromEntries(calls), {
      0: { ids: ["call_a"], names: ["weather"], arguments: '{"city":"Bern"}' },
      1: { ids: ["call_b"], names: ["time"], arguments: "{}" },
    });
    assert.equal(chunks.at(-1).choices[0].finish_reason, "tool_calls");
  });
});

describe("a whole response", () => {
  test("has_every_member_that_clients_read", async () => {
    const { response, body } = await complete(stack, {});
    assert.match(response.headers.get("content-type"), /^application\/json\b/);
    assert.match(response.headers.get("cache-control") ?? "", /\bno-store\b/);
    assert.match(body.id, /^chatcmpl-/);
    assert.equal(body.object, "chat.completion");
    assert.ok(Number.isInteger(body.created));
    assert.equal(body.model, MODEL);
    assert.deepEqual(body.choices, [
      { index: 0, message: { role: "assistant", content: "Hello there.", refusal: null }, finish_reason: "stop", logprobs: null },
    ]);
    assert.equal(body.usage.total_tokens, USAGE.total_tokens);
  });

  test("keeps_the_finish_reason_of_the_provider", async () => {
    for (const finish_reason of ["stop", "length", "content_filter"]) {
      stack.upstream.next(completion({ finish_reason }), stream({ finish_reason }));
      assert.equal((await complete(stack, {})).body.choices[0].finish_reason, finish_reason);
      assert.equal((await completeStream(stack, {})).chunks.at(-1).choices[0].finish_reason, finish_reason);
    }
  });

  test("passes_on_the_providers_usage_details", async () => {
    const usage = { ...USAGE, prompt_tokens_details: { cached_tokens: 3 }, completion_tokens_details: { reasoning_tokens: 2 } };
    stack.upstream.next(completion({ usage }));
    const { body } = await complete(stack, {});
    assert.equal(body.usage.prompt_tokens_details.cached_tokens, 3);
    assert.equal(body.usage.completion_tokens_details.reasoning_tokens, 2);
  });

  test("carries_reasoning_beside_the_content", async () => {
    stack.upstream.next(completion({ message: { reasoning_content: "Let me think." } }));
    assert.equal((await complete(stack, {})).body.choices[0].message.reasoning_content, "Let me think.");
  });

  test("has_no_members_specific_to_the_provider", async () => {
    stack.upstream.next(completion({ extra: { internal: PROVIDER_SECRET } }));
    const { body } = await complete(stack, {});
    assert.ok(!JSON.stringify(body).includes(PROVIDER_SECRET));
  });
});

describe("to the provider", () => {
  test("messages_are_passed_on_with_every_member", async () => {
    const messages = [
      { role: "developer", content: "Be brief.", name: "dev" },
      { role: "system", content: [{ type: "text", text: "Be kind." }] },
      { role: "user", content: [{ type: "text", text: "What is in it?" }, { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=", detail: "low" } }] },
      { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: '{ "at" : 1.0 }' } }] },
      { role: "tool", tool_call_id: "call_1", content: "A cat." },
      { role: "assistant", content: "A cat.", refusal: null, a_member_of_the_future: { kept: [1, 2.5, "x"] } },
      { role: "user", content: "Thanks." },
    ];
    await complete(stack, { messages });
    // SDKs send `refusal: null` back, which many compatible servers reject.
    const { refusal, ...assistant } = messages[5];
    assert.equal(refusal, null);
    assert.deepEqual(stack.upstream.lastBody.messages, messages.with(5, assistant));
  });

  test("given_parameters_are_passed_on_and_no_others_are_added", async () => {
    const fields = { temperature: 0.25, top_p: 0.5, stop: ["a", "b"], seed: 42, presence_penalty: -1, frequency_penalty: 1.5, logprobs: true, top_logprobs: 2 };
    await complete(stack, { ...fields, max_tokens: 77 });
    const { body } = { body: stack.upstream.lastBody };
    for (const [name, value] of Object.entries(fields)) assert.deepEqual(body[name], value, name);
    assert.equal(body.max_tokens ?? body.max_completion_tokens, 77);
    await complete(stack, {});
    for (const name of Object.keys(fields)) assert.ok(!(name in stack.upstream.lastBody), `${name} was added`);
  });

  test("neither_the_callers_key_nor_our_own_members_reach_the_provider", async () => {
    await complete(stack, { session_id: "stays-here" }, { headers: { "x-secret-header": "canary-0815" } });
    const [request] = stack.upstream.requests;
    const everything = request.text + JSON.stringify(request.headers);
    for (const secret of [stack.key, "canary-0815", "stays-here", stack.tenants[0].tenant_id]) {
      assert.ok(!everything.includes(secret), `the provider received ${secret}`);
    }
    assert.ok(!("session_id" in request.body));
  });
});
