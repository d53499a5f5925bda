// Conversations and requests that real clients and providers produce (docs/provider-cases.md), through
// the built Workers.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as behaviours from "../harness/behaviours.mjs";
import { complete, completeStream, eventsAsTheyArrive, expectError, postChat, readEvents } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";

/** Times of minutes, scaled to seconds: the early head, and the time that a model thinks. */
const [EARLY_HEAD_MS, KEEP_ALIVE_MS, THINKING_MS] = [700, 300, 2500];
const vars = { EARLY_HEAD_MS: `${EARLY_HEAD_MS}`, KEEP_ALIVE_MS: `${KEEP_ALIVE_MS}`, FIRST_BYTE_TIMEOUT_MS: "1000" };
const UNLIMITED = { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { messages_per_month: null, tokens_per_month: null, micro_dollars_per_month: null } };

let upstream;
let stack;
/** Tenants without quotas: `plain`, `labels` ignores `session_id` in bodies, `chained` has a fallback, `acting` a server tool. Tenants with 10,000 tokens: `poor` and `poorer`. */
let tenants;
before(async () => {
  upstream = await startUpstream();
  const models = [
    { id: "plain" },
    { id: "photo", context: 131072 },
    { id: "known", max_output: 32000 },
    { id: "cheap", roles: ["fast"], price: { input: 1, output: 1 } },
    { id: "dear", roles: ["smart", "code"], price: { input: 1_000_000, output: 5_000_000 } },
  ];
  stack = await startStack({ tenants: 6, upstream, vars: { ...vars, PROVIDERS: JSON.stringify([upstream.provider({ models }), upstream.provider({ name: "claudes", kind: "anthropic", models: [{ id: "claude", features: { vision: true } }] })]) } });
  const settings = {
    plain: {},
    labels: { ignore_body_session_id: true },
    chained: { fallback: ["plain"] },
    acting: { tools: ["time_now"] },
    poor: { quotas: { ...UNLIMITED.quotas, tokens_per_month: 10_000 } },
    poorer: { quotas: { ...UNLIMITED.quotas, tokens_per_month: 10_000 } },
  };
  tenants = Object.fromEntries(Object.keys(settings).map((name, index) => [name, stack.tenants[index]]));
  for (const [name, more] of Object.entries(settings)) await stack.updateSettings(tenants[name].tenant_id, { ...UNLIMITED, ...more });
});
after(async () => {
  await stack?.stop();
  await upstream?.close();
});
beforeEach(() => upstream.reset());

const user = (content) => ({ role: "user", content });
const system = (content) => ({ role: "system", content });
const as = (tenant, session) => ({ key: tenants[tenant].secret_key, headers: session ? { "x-session-id": session } : {} });
const sent = () => upstream.lastBody.messages;
const photo = (bytes) => [{ type: "text", text: "look" }, { type: "image_url", image_url: { url: `data:image/jpeg;base64,${randomBytes(bytes).toString("base64")}` } }];

describe("a session", () => {
  test("case 15: with_the_clients_system_message_in_each_turn_has_one_and_stores_it_once", async () => {
    for (const turn of [0, 1, 2]) await complete(stack, { model: "plain", messages: [system("You are terse."), user(`turn ${turn}`)] }, as("plain", "prompts"));
    assert.deepEqual(sent().map(({ role }) => role), ["system", "user", "assistant", "user", "assistant", "user"]);
    const [{ count }] = await stack.rows("SELECT count(*) AS count FROM messages WHERE tenant_id = ?1 AND session_id = 'prompts' AND role = 'system'", tenants.plain.tenant_id);
    assert.equal(count, 1);
    await complete(stack, { model: "plain", messages: [system("You are kind."), user("turn 3")] }, as("plain", "prompts"));
    assert.deepEqual(sent().filter(({ role }) => role === "system"), [system("You are kind.")]);
  });

  test("case 23: with_a_photo_keeps_the_history_before_and_after_it", async () => {
    const turns = ["My name is Ada.", photo(600_000), "What is my name?", "What is my name?"];
    for (const [index, content] of turns.entries()) {
      await complete(stack, { model: "photo", messages: [user(content)] }, as("plain", "photo"));
      assert.deepEqual(sent().filter(({ role }) => role === "user").map((message) => message.content), turns.slice(0, index + 1));
    }
  });

  test("case 24: does_not_call_the_model_for_a_message_that_it_cannot_store", async () => {
    const response = await postChat(stack, { model: "photo", messages: [user(photo(2_000_000))] }, as("plain", "too-long"));
    await expectError(response, 400, { code: "invalid_value", param: "messages[0].content" });
    assert.equal(upstream.requests.length, 0);
  });

  test("whose_link_has_expired_names_the_message", async () => {
    const image = [{ type: "image_url", image_url: { url: "https://pictures.example/1?signature=x" } }];
    await complete(stack, { model: "plain", messages: [user(image)] }, as("plain", "links"));
    upstream.always(behaviours.json(400, { error: { message: "Failed to download image from URL.", code: "invalid_image_url" } }));
    const error = await expectError(await postChat(stack, { model: "plain", messages: [user("And?")] }, as("plain", "links")), 400, { param: "messages" });
    const [{ id }] = await stack.rows("SELECT id FROM messages WHERE session_id = 'links' AND role = 'user'");
    assert.ok(error.message.includes(id), error.message);
    const headers = { authorization: `Bearer ${tenants.plain.secret_key}` };
    const deleted = await fetch(`${stack.url}/v1/sessions/links/messages/${id}`, { method: "DELETE", headers });
    assert.ok(deleted.ok, `${deleted.status}`);
    upstream.reset();
    await complete(stack, { model: "plain", messages: [user("And?")] }, as("plain", "links"));
    assert.ok(!JSON.stringify(sent()).includes("pictures.example"));
  });

  test("case 28: whose_client_sends_the_whole_history_does_not_double_it", async () => {
    const messages = [];
    for (const text of ["one", "two", "three"]) {
      messages.push(user(text));
      const { body, response } = await complete(stack, { model: "plain", session_id: "whole", messages }, as("plain"));
      assert.equal(response.headers.get("x-session-id"), "whole");
      assert.deepEqual(sent().map(({ role, content }) => ({ role, content })), messages.map(({ role, content }) => ({ role, content })));
      messages.push(body.choices[0].message);
    }
    const rows = await stack.rows("SELECT role FROM messages WHERE session_id = 'whole'");
    assert.equal(rows.length, 6);
  });

  test("case 28: with_server_tools_is_recognised_in_the_clients_copy", async () => {
    const call = { id: "call_1", type: "function", function: { name: "time_now", arguments: "{}" } };
    const messages = [];
    for (const text of ["one", "two", "three"]) {
      messages.push(user(text));
      upstream.next(behaviours.completion({ content: "Let me see.", finish_reason: "tool_calls", message: { tool_calls: [call] } }));
      upstream.next(behaviours.completion({ content: `It is ${text}.` }));
      const { body } = await complete(stack, { model: "plain", session_id: "rounds", messages }, as("acting"));
      assert.equal(body.choices[0].message.content, `Let me see.\n\nIt is ${text}.`);
      messages.push(body.choices[0].message);
      const users = sent().filter(({ role }) => role === "user").map(({ content }) => content);
      assert.deepEqual(users, messages.filter(({ role }) => role === "user").map(({ content }) => content));
    }
  });

  test("case 28: whose_answer_broke_off_is_recognised_in_the_clients_copy", async () => {
    const messages = [user("one")];
    const ask = () => complete(stack, { model: "plain", session_id: "half", messages }, as("plain"));
    messages.push((await ask()).body.choices[0].message, user("two"));
    upstream.next(behaviours.endWithoutFinish({ pieces: ["A long ", "answer"] }));
    const broken = await completeStream(stack, { model: "plain", session_id: "half", messages }, as("plain"));
    assert.equal(broken.done, false);
    // The client keeps nothing of the answer, and then less of it than the session has.
    messages.push(user("three"));
    messages.push((await ask()).body.choices[0].message);
    messages.splice(3, 0, { role: "assistant", content: "A long" });
    messages.push(user("four"));
    await ask();
    const users = sent().filter(({ role }) => role === "user").map(({ content }) => content);
    assert.deepEqual(users, ["one", "two", "three", "four"]);
  });

  test("case 28: is_not_named_by_the_body_if_the_tenant_uses_it_as_a_label", async () => {
    for (const text of ["one", "two"]) {
      const { response } = await complete(stack, { model: "plain", session_id: "label", messages: [user(text)] }, as("labels"));
      assert.equal(response.headers.get("x-clawless-dropped"), "session_id");
      assert.equal(response.headers.get("x-session-id"), null);
      assert.deepEqual(sent(), [user(text)]);
      assert.equal(upstream.lastBody.session_id, undefined);
    }
    await complete(stack, { model: "plain", session_id: "label", messages: [user("three")] }, as("labels", "named"));
    await complete(stack, { model: "plain", session_id: "label", messages: [user("four")] }, as("labels", "named"));
    assert.equal(sent().length, 3, "the header still names a session");
  });
});

/** Thinks without a byte, then streams. */
const think = (behaviour, ms = THINKING_MS) => async (request, response) => {
  await sleep(ms);
  await behaviour(request, response);
};

describe("a model that thinks for minutes", { concurrency: 1 }, () => {
  test("case 29: has_an_early_head_and_comments_and_then_its_answer", async () => {
    upstream.next(think(behaviours.stream()));
    const startedAt = performance.now();
    const response = await postChat(stack, { model: "plain", stream: true, messages: [user("Think.")] }, as("plain", "thinking"));
    const headAfter = performance.now() - startedAt;
    assert.ok(headAfter >= EARLY_HEAD_MS && headAfter < THINKING_MS, `the head came after ${headAfter} ms`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("x-clawless-model"), null);
    assert.equal(response.headers.get("x-session-id"), "thinking");
    const events = [];
    for await (const event of eventsAsTheyArrive(response)) events.push(event);
    const answerAt = events.findIndex((event) => event.startsWith("data:"));
    const comments = events.slice(0, answerAt);
    assert.ok(comments.filter((event) => event === ": keep-alive").length >= 3, comments.join("\n"));
    assert.equal(comments.at(-1), ": x-clawless-model: plain\n: x-clawless-tries: 1");
    const { text, done } = readEvents(`${events.join("\n\n")}\n\n`);
    assert.deepEqual([text, done], ["Hello there.", true]);
    await complete(stack, { model: "plain", messages: [user("And?")] }, as("plain", "thinking"));
    assert.equal(sent().length, 3, "the turn is stored");
  });

  test("case 29: may_send_comments_or_a_bare_role_before_it_answers", async () => {
    const pause = (request) => [{ raw: ": PROCESSING\n\n" }, { raw: ": PROCESSING\n\n" }, behaviours.chunk(request, { role: "assistant", content: "" })];
    upstream.next(behaviours.events((request) => [...pause(request), behaviours.chunk(request, { content: "done thinking" }), behaviours.chunk(request, {}, "stop"), "[DONE]"], { delayMs: 900 }));
    const { text, done } = await completeStream(stack, { model: "plain", messages: [user("Think.")] }, as("plain"));
    assert.deepEqual([text, done], ["done thinking", true]);
  });

  test("case 29: that_fails_after_the_early_head_ends_with_an_error_event_and_costs_nothing", async () => {
    upstream.next(think(behaviours.failure(400)));
    const late = await completeStream(stack, { model: "plain", messages: [user("Think.")] }, as("plain", "late"));
    assert.equal(late.done, false);
    assert.equal(late.chunks.length, 1);
    assert.equal(late.chunks[0].error.code, "invalid_value");
    upstream.next(think(behaviours.failure(400), EARLY_HEAD_MS / 4));
    await expectError(await postChat(stack, { model: "plain", stream: true, messages: [user("Think.")] }, as("plain", "late")), 400);
    const [{ count }] = await stack.rows("SELECT count(*) AS count FROM turns WHERE session_id = 'late'");
    assert.equal(count, 0);
  });

  test("case 29: falls_back_after_the_early_head", async () => {
    upstream.always((request, response) => (request.body.model === "photo" ? behaviours.silence() : behaviours.stream())(request, response));
    const { text, done, lines, chunks } = await completeStream(stack, { model: "photo", messages: [user("Think.")] }, as("chained"));
    assert.deepEqual([text, done, chunks[0].model], ["Hello there.", true, "plain"]);
    assert.deepEqual(lines.slice(-2), [": x-clawless-model: plain", ": x-clawless-tries: 2"]);
  });

  test("case 29: answers_a_whole_request_when_it_is_done", async () => {
    upstream.next(think(behaviours.completion()));
    const { response, body } = await complete(stack, { model: "plain", messages: [user("Think.")] }, as("plain"));
    assert.equal(body.choices[0].message.content, "Hello there.");
    assert.equal(response.headers.get("x-clawless-model"), "plain");
  });
});

describe("an answer without a limit", () => {
  const words = (count) => Array.from({ length: count / 100 }, () => "word".repeat(100));
  const long = (count) => behaviours.completionOrStream({ content: words(count).join("") });
  /** A stream of long pieces, which is read faster than one of tokens. */
  const longStream = (count) => behaviours.stream({ pieces: words(count), usage: null });

  for (const [tenant, stream] of [["poor", false], ["poorer", true]]) {
    test(`ends_where_the_quota_does_${stream ? "streamed" : "whole"}`, async () => {
      upstream.next(longStream(30_000));
      const request = { model: "plain", messages: [user("Tell me all.")] };
      const { text, reason } = stream ? streamed(await completeStream(stack, request, as(tenant))) : whole(await complete(stack, request, as(tenant)));
      assert.equal(reason, "length");
      assert.ok(text.length > 32_000 && text.length <= 40_000, `${text.length} characters`);
      const [receipt] = await stack.receipts(tenants[tenant].tenant_id, 1);
      assert.ok(receipt.charged_tokens > 8_000 && receipt.charged_tokens <= 10_000, JSON.stringify(receipt));
      await expectError(await postChat(stack, { ...request, messages: [user("word".repeat(4000))] }, as(tenant)), 429);
    });
  }

  test("has_no_limit_at_the_provider_and_is_not_cut", async () => {
    for (const stream of [false, true]) {
      upstream.next(long(20_000));
      const request = { model: "known", messages: [user("Tell me all.")] };
      const { text, reason } = stream ? streamed(await completeStream(stack, request, as("plain"))) : whole(await complete(stack, request, as("plain")));
      assert.deepEqual([text.length, reason], [80_000, "stop"]);
      for (const name of ["max_tokens", "max_completion_tokens"]) assert.equal(upstream.lastBody[name], undefined);
    }
  });

  const streamed = ({ text, chunks }) => ({ text, reason: chunks.flatMap(({ choices }) => choices).find((choice) => choice.finish_reason)?.finish_reason });
  const whole = ({ body }) => ({ text: body.choices[0].message.content, reason: body.choices[0].finish_reason });
});

describe("clawless_origin", () => {
  const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" }, extra_content: { google: { thought_signature: "S" } } };
  const history = (origin) => [
    user("Hi"),
    { role: "assistant", content: null, tool_calls: [call], reasoning_details: [{ type: "x", data: "D" }], clawless_origin: origin },
    { role: "tool", tool_call_id: "call_1", content: "3" },
  ];

  for (const origin of ["local/another", "another/plain", 5, null, {}, ["local/plain"]]) {
    test(`that_is_${JSON.stringify(origin).replaceAll(/\W+/g, "_")}_and_forged_reaches_no_provider`, async () => {
      await complete(stack, { model: "plain", messages: history(origin) }, as("plain"));
      const text = JSON.stringify(upstream.lastBody);
      assert.ok(!text.includes("clawless_origin"), text);
      assert.ok(!text.includes("reasoning_details") && !text.includes("extra_content"), "members of another model are not sent");
    });
  }

  test("of_the_model_itself_keeps_its_members_and_is_not_sent", async () => {
    await complete(stack, { model: "plain", messages: history("local/plain") }, as("plain"));
    const { clawless_origin: _, ...expected } = history("local/plain")[1];
    assert.deepEqual(sent()[1], expected);
  });

  test("in_a_providers_answer_is_not_believed", async () => {
    upstream.next(behaviours.completion({ content: "ok", message: { clawless_origin: "local/known", x_state: ["mine"] } }));
    const { body } = await complete(stack, { model: "plain", messages: [user("Hi")] }, as("plain", "forged"));
    assert.equal(body.choices[0].message.clawless_origin, undefined);
    await complete(stack, { model: "known", messages: [user("And?")] }, as("plain", "forged"));
    assert.equal(sent()[1].x_state, undefined, "another model does not get them");
    await complete(stack, { model: "plain", messages: [user("And?")] }, as("plain", "forged"));
    assert.deepEqual(sent()[1].x_state, ["mine"]);
  });
});

describe("what an SDK's own tests send", () => {
  const parameters = { type: "object", properties: {} };
  const tool = (name) => ({ type: "function", function: { name, parameters } });
  const cases = {
    odd_logit_bias_keys: { logit_bias: { foo: 0, 50256: -100, "1e3": 1 } },
    nul_in_stateless_text: { messages: [user("a\u0000b")] },
    a_hundred_and_twenty_nine_tools: { tools: Array.from({ length: 129 }, (_, index) => tool(`tool_${index}`)) },
    dotted_tool_names: { tools: [tool("functions.get.weather")], tool_choice: { type: "function", function: { name: "functions.get.weather" } } },
    empty_parameters: { tools: [{ type: "function", function: { name: "f", parameters: {} } }] },
    parameters_of_local_servers: { top_k: 3, chat_template_kwargs: { enable_thinking: false } },
    no_limit: {},
    a_part_of_an_unknown_type: { messages: [user([{ type: "hologram", hologram: { url: "https://pictures.example/1" } }])] },
  };
  for (const [name, fields] of Object.entries(cases)) {
    test(`${name}_reaches_the_provider_unchanged`, async () => {
      const request = { model: "plain", messages: [user("Hi")], ...fields };
      const { response } = await complete(stack, request, as("plain"));
      assert.equal(response.headers.get("x-clawless-dropped"), null);
      assert.deepEqual(upstream.lastBody, request);
      await completeStream(stack, request, as("plain"));
      const { stream, stream_options, ...rest } = upstream.lastBody;
      assert.deepEqual([stream, stream_options, rest], [true, { include_usage: true }, request]);
    });
  }
});

describe("a server that rejects stream_options", () => {
  test("gets_the_stream_without_it", async () => {
    const detail = [{ type: "extra_forbidden", loc: ["body", "stream_options"], msg: "Extra inputs are not permitted" }];
    upstream.next(behaviours.json(422, { detail }));
    const { text, done } = await completeStream(stack, { model: "plain", messages: [user("Hi")] }, as("plain"));
    assert.deepEqual([text, done], ["Hello there.", true]);
    assert.equal(upstream.lastBody.stream_options, undefined);
  });
});

describe("an image whose bytes are of another type than it says", () => {
  test("case 18: is_sent_to_anthropic_with_the_type_of_its_bytes", async () => {
    const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const message = { id: "msg_1", type: "message", role: "assistant", model: "claude", content: [{ type: "text", text: "A dot." }], stop_reason: "end_turn", stop_sequence: null, usage: { input_tokens: 9, output_tokens: 3 } };
    upstream.next(behaviours.json(200, message));
    const image = { type: "image_url", image_url: { url: `data:image/jpg;base64,${png}` } };
    const { body } = await complete(stack, { model: "claude", messages: [user([{ type: "text", text: "what?" }, image])] }, as("plain"));
    assert.equal(body.choices[0].message.content, "A dot.");
    assert.deepEqual(sent()[0].content[1], { type: "image", source: { type: "base64", media_type: "image/png", data: png } });
  });
});

describe("a stateless request", () => {
  test("whose_answer_is_empty_is_tried_again", async () => {
    const usage = { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 };
    for (const stream of [false, true]) {
      upstream.next(stream ? behaviours.stream({ pieces: [], usage }) : behaviours.completion({ content: "", usage }));
      const request = { model: "plain", messages: [user("Hi")] };
      const { response } = await (stream ? completeStream : complete)(stack, request, as("plain"));
      assert.equal(response.headers.get("x-clawless-tries"), "2");
    }
  });

  test("may_return_an_answers_null_refusal", async () => {
    const { body } = await complete(stack, { model: "plain", messages: [user("Hi")] }, as("plain"));
    const { message } = body.choices[0];
    assert.equal(message.refusal, null, "the SDK's type requires it");
    await complete(stack, { model: "plain", messages: [user("Hi"), message, user("And?")] }, as("plain"));
    assert.ok(!("refusal" in sent()[1]), "a strict server would reject it");
  });
});
