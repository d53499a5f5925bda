// Content blocks of providers with Anthropic's wire that no other format has a place for: signed
// reasoning, sources, unknown blocks, a paused turn. What reaches clients, what is stored, and which
// provider gets it back.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { events, json } from "../harness/behaviours.mjs";
import { chatBody, postChat } from "../harness/client.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { messageBody, postMessage, streamMessage } from "../harness/messages-client.mjs";
import { startStack } from "../harness/stack.mjs";

const CITATION = { type: "char_location", cited_text: "Water is wet.", document_index: 0, document_title: null, start_char_index: 0, end_char_index: 13 };
const SIGNATURE = "c2lnbmVk==";
const BLOCKS = [
  { type: "thinking", thinking: "hm", signature: SIGNATURE },
  { type: "redacted_thinking", data: "c2VhbGVk" },
  { type: "text", text: "As they say, " },
  { type: "text", text: "water is wet", citations: [CITATION] },
  { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "water" } },
  { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [{ type: "web_search_result", encrypted_content: "RQ==" }] },
];
const TEXT = "As they say, water is wet";

let stack;
before(async () => {
  stack = await startStack({
    tenants: 2,
    vars: (upstream) => {
      const model = (id) => ({ id, context: 32768, max_output: 4096, thinking: "budget" });
      const provider = (name, kind) => upstream.provider({ name, kind, models: [model(`${name}-model`)] });
      return { PROVIDERS: JSON.stringify([provider("one", "anthropic"), provider("two", "anthropic"), provider("three", "openai")]) };
    },
  });
  await stack.updateSettings(stack.tenants[1].tenant_id, { fallback: ["two-model"] });
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const thinking = { type: "enabled", budget_tokens: 1024 };
const USAGE = { input_tokens: 3, output_tokens: 5 };
const whole = (stop_reason = "end_turn", content = BLOCKS) => json(200, { id: "msg_1", type: "message", role: "assistant", model: "m", content, stop_reason, stop_sequence: null, usage: USAGE });

/** The events of a provider for these blocks. */
function streamed(stop_reason = "end_turn") {
  const event = (type, data) => ({ raw: `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n` });
  const of = (block, index) => {
    const delta = (piece) => event("content_block_delta", { index, delta: piece });
    const [start, ...deltas] = {
      thinking: () => [{ type: "thinking", thinking: "", signature: "" }, delta({ type: "thinking_delta", thinking: block.thinking }), delta({ type: "signature_delta", signature: block.signature })],
      text: () => [{ type: "text", text: "" }, delta({ type: "text_delta", text: block.text }), ...(block.citations ?? []).map((citation) => delta({ type: "citations_delta", citation }))],
      server_tool_use: () => [{ ...block, input: {} }, delta({ type: "input_json_delta", partial_json: JSON.stringify(block.input) })],
    }[block.type]?.() ?? [block];
    return [event("content_block_start", { index, content_block: start }), ...deltas, event("content_block_stop", { index })];
  };
  return events(() => [
    event("message_start", { message: { id: "msg_1", type: "message", role: "assistant", model: "m", content: [], usage: { input_tokens: 3, output_tokens: 1 } } }),
    ...BLOCKS.flatMap(of),
    event("message_delta", { delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 5 } }),
    event("message_stop", {}),
  ]);
}

/** A signature as clients get it names its provider. */
const named = (signature, origin = "one/one-model") => `clawless1:${JSON.stringify({ origin, signature })}`;
const SHOWN = BLOCKS.map((block) => ({
  ...block,
  ...(block.signature ? { signature: named(block.signature) } : {}),
  ...(block.data ? { data: named(block.data) } : {}),
}));

async function create(fields, options) {
  const response = await postMessage(stack, messageBody({ model: "one-model", max_tokens: 2048, thinking, ...fields }), options);
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return { body, response };
}

/** The conversation after an answer with these blocks. */
const conversation = (content) => [{ role: "user", content: "Say hello." }, { role: "assistant", content }, { role: "user", content: "Go on." }];
/** The blocks of the model in the last request of the provider. */
const sent = () => stack.upstream.lastBody.messages.filter(({ role }) => role === "assistant").flatMap(({ content }) => content);

describe("blocks", () => {
  test("reach_the_client_whole_and_streamed_and_go_back_byte_for_byte", async () => {
    stack.upstream.next(whole(), streamed(), whole());
    const { body } = await create({});
    assert.deepEqual(body.content, SHOWN);
    const { message } = await streamMessage(stack, { model: "one-model", max_tokens: 2048, thinking });
    // The tests' client merges texts, signatures and inputs only.
    const withCitations = message.content.map((block) => (block.text === "water is wet" ? { ...block, citations: [CITATION] } : block));
    assert.deepEqual(withCitations, SHOWN);
    await create({ messages: conversation(body.content) });
    assert.deepEqual(sent(), BLOCKS);
    assert.ok(stack.upstream.requests.at(-1).text.includes(JSON.stringify(BLOCKS[3])));
  });

  test("streamed_sources_are_events_of_their_text", async () => {
    stack.upstream.next(streamed());
    const { events: seen } = await streamMessage(stack, { model: "one-model", max_tokens: 2048, thinking });
    const [source] = seen.filter(({ delta }) => delta?.type === "citations_delta");
    assert.deepEqual([source.index, source.delta.citation], [3, CITATION]);
  });

  test("of_a_session_are_stored_and_go_back_to_their_model_only", async () => {
    for (const [behaviour, stream] of [[whole(), false], [streamed(), true]]) {
      const headers = { "x-session-id": `blocks-${stream}` };
      stack.upstream.next(behaviour, whole());
      const first = await postMessage(stack, messageBody({ model: "one-model", max_tokens: 2048, thinking, stream }), { headers });
      await first.text();
      await create({ messages: [{ role: "user", content: "Go on." }] }, { headers });
      assert.deepEqual(sent(), BLOCKS);
      stack.upstream.next(whole("end_turn", [{ type: "text", text: "ok" }]));
      await create({ model: "two-model", messages: [{ role: "user", content: "And you?" }] }, { headers });
      const { text } = stack.upstream.requests.at(-1);
      for (const foreign of [SIGNATURE, "c2VhbGVk", "web_search", "citations", "content_blocks"]) assert.ok(!text.includes(foreign), `${foreign}: ${text}`);
      assert.equal(sent().find(({ type }) => type === "text").text, TEXT);
    }
  });

  test("without_a_form_on_another_wire_are_named", async () => {
    const cited = [BLOCKS[2], BLOCKS[3]];
    const { response } = await create({ model: "three-model", thinking: undefined, messages: conversation(cited) });
    assert.match(response.headers.get("x-clawless-dropped"), /messages\[\]\.content\[\]\.citations/u);
    const refused = await postMessage(stack, messageBody({ model: "three-model", messages: conversation(SHOWN) }));
    assert.equal(refused.status, 400);
    assert.match((await refused.json()).error.message, /server_tool_use/u);
  });

  test("reach_clients_of_chat_as_a_member_that_only_their_model_gets_back", async () => {
    stack.upstream.next(whole(), whole(), whole());
    const first = await (await postChat(stack, chatBody({ model: "one-model" }))).json();
    const [{ message }] = first.choices;
    assert.equal(message.content, TEXT);
    assert.deepEqual(message.content_blocks, { origin: "one/one-model", blocks: BLOCKS });
    for (const [model, expected] of [["one-model", BLOCKS.slice(2)], ["two-model", [{ type: "text", text: TEXT }]]]) {
      const response = await postChat(stack, chatBody({ model, messages: [{ role: "user", content: "Hi" }, message, { role: "user", content: "Go on." }] }));
      assert.equal(response.status, 200, await response.text());
      assert.deepEqual(sent(), expected, model);
    }
  });
});

describe("a signature", () => {
  test("never_reaches_another_provider_with_the_same_wire", async () => {
    stack.upstream.next(whole());
    const { body } = await create({});
    for (const model of ["two-model", "three-model"]) {
      if (model === "two-model") stack.upstream.next(whole());
      const content = body.content.slice(0, 3);
      await create({ model, thinking: model === "two-model" ? thinking : undefined, messages: conversation(content) });
      const { text } = stack.upstream.requests.at(-1);
      for (const foreign of [SIGNATURE, "c2VhbGVk", "clawless1"]) assert.ok(!text.includes(foreign), `${foreign}: ${text}`);
    }
    // The fallback gets the conversation without what only the first model may read.
    stack.upstream.reset();
    stack.upstream.always(async (request, response) => (request.body.model === "one-model" ? json(503, DIALECTS.anthropic.refusal(503)) : whole())(request, response));
    const response = await postMessage(stack, messageBody({ model: "one-model", max_tokens: 2048, thinking, messages: conversation(body.content) }), { key: stack.tenants[1].secret_key });
    assert.equal(response.status, 200, await response.text());
    const of = (model) => stack.upstream.requests.filter((request) => request.body.model === model);
    assert.ok(of("one-model").every(({ text }) => text.includes(SIGNATURE)) && of("one-model").length > 0);
    assert.ok(of("two-model").every(({ text }) => !text.includes(SIGNATURE)) && of("two-model").length === 1);
  });
});

describe("a paused turn", () => {
  test("has_its_reason_here_and_is_incomplete_on_other_surfaces", async () => {
    stack.upstream.next(whole("pause_turn"), streamed("pause_turn"), whole("pause_turn"), whole("pause_turn"));
    const { body } = await create({});
    assert.equal(body.stop_reason, "pause_turn");
    const { message } = await streamMessage(stack, { model: "one-model", max_tokens: 2048, thinking });
    assert.equal(message.stop_reason, "pause_turn");
    const chat = await (await postChat(stack, chatBody({ model: "one-model" }))).json();
    assert.deepEqual([chat.choices[0].finish_reason, chat.choices[0].native_finish_reason], ["length", "pause_turn"]);
    const headers = { authorization: `Bearer ${stack.key}`, "content-type": "application/json" };
    const response = await fetch(`${stack.url}/v1/responses`, { method: "POST", headers, body: JSON.stringify({ model: "one-model", input: "Hi" }) });
    assert.equal((await response.json()).status, "incomplete");
  });
});
