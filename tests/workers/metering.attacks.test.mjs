// Attack 66: bytes that are sent to a provider and not reserved. Every member of a request counts, before it is sent.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, expectError, MODEL, postChat } from "../harness/client.mjs";
import { VERSION } from "../harness/messages-client.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";
import { until } from "../harness/wait.mjs";

let stack;
let upstream;
before(async () => {
  upstream = await startUpstream();
  // A model whose window is unknown: nothing but the quota limits a request.
  const provider = upstream.provider({ models: [{ id: MODEL }] });
  stack = await startStack({ tenants: 4, upstream, vars: { PROVIDERS: JSON.stringify([provider]) } });
});
after(async () => {
  await stack.stop();
  await upstream.close();
});
beforeEach(() => upstream.reset());

const QUOTA = 100_000;
const LONG = "x".repeat(1024 * 1024);
const HALF = "x".repeat(480 * 1024);
const user = { role: "user", content: "Hi" };
const call = (more) => [user, { role: "assistant", content: null, tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}", ...more.function }, ...more.call }] }, { role: "tool", tool_call_id: "c", content: more.result ?? "r" }];
const part = (content) => ({ messages: [{ role: "user", content: [{ type: "text", text: "Hi" }, content] }] });
const functionTool = (more) => ({ tools: [{ type: "function", function: { name: "f", ...more } }] });

/** Requests with one long member each. */
const MEMBERS = {
  content: { messages: [{ role: "user", content: LONG }] },
  name: { messages: [{ ...user, name: LONG }] },
  refusal: { messages: [user, { role: "assistant", content: "a", refusal: LONG }, user] },
  an_unknown_member: { messages: [{ ...user, x: LONG }] },
  a_nested_unknown_member: { messages: [{ ...user, x: { y: [{ z: LONG }] } }] },
  the_name_of_an_unknown_member: { messages: [{ ...user, [LONG]: 1 }] },
  numbers: { messages: [{ ...user, x: Array(150_000).fill(1234567) }] },
  a_text_that_looks_like_an_image: { messages: [user, { role: "assistant", content: "a", refusal: `data:image/png;base64,${LONG}` }, user] },
  an_image_elsewhere: { messages: [{ ...user, x: { image_url: { url: `data:image/png;base64,${LONG}` } } }] },
  a_text_part: part({ type: "text", text: LONG }),
  an_unknown_member_of_a_part: part({ type: "text", text: "t", x: LONG }),
  the_url_of_an_image: part({ type: "image_url", image_url: { url: `https://x.example/${LONG}` } }),
  a_text_as_an_image: part({ type: "image_url", image_url: { url: `data:text/plain;base64,${LONG}` } }),
  a_file: part({ type: "file", file: { filename: "a.txt", file_data: `data:text/plain;base64,${LONG}` } }),
  the_name_of_a_file: part({ type: "file", file: { file_id: "f", filename: LONG } }),
  a_hundred_images: { messages: [{ role: "user", content: Array(150).fill({ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }) }] },
  the_arguments_of_a_call: { messages: call({ function: { arguments: LONG } }) },
  an_unknown_member_of_a_call: { messages: call({ call: { x: LONG } }) },
  the_result_of_a_call: { messages: call({ result: LONG }) },
  reasoning: { messages: [user, { role: "assistant", content: "a", reasoning_content: LONG }, user] },
  the_description_of_a_tool: functionTool({ description: LONG }),
  the_schema_of_a_tool: functionTool({ parameters: { type: "object", title: HALF } }),
  a_custom_tool: { tools: [{ type: "custom", custom: { name: "c", description: HALF } }] },
  a_response_format: { response_format: { type: "json_schema", json_schema: { name: "s", schema: { title: HALF } } } },
  a_prediction: { prediction: { type: "content", content: HALF } },
  a_tool_choice: { ...functionTool({}), tool_choice: { type: "function", function: { name: "f", x: HALF } } },
  a_parameter_of_the_chat_template: { chat_template_kwargs: { x: HALF } },
};

const item = (fields) => ({ input: [{ role: "user", content: "Hi" }, { ...fields }] });
const inputPart = (content) => ({ input: [{ role: "user", content: [{ type: "input_text", text: "Hi" }, content] }] });
const responseCall = (more) => item({ type: "function_call", call_id: "c", name: "f", arguments: "{}", ...more });

/** Requests for responses with one long member each. */
const RESPONSES = {
  input: { input: LONG },
  instructions: { input: "Hi", instructions: LONG },
  an_input_text: inputPart({ type: "input_text", text: LONG }),
  an_unknown_member_of_a_message: item({ role: "user", content: "Hi", x: LONG }),
  the_url_of_an_image: inputPart({ type: "input_image", image_url: `https://x.example/${LONG}` }),
  a_text_as_an_image: inputPart({ type: "input_image", image_url: `data:text/plain;base64,${LONG}` }),
  a_file: inputPart({ type: "input_file", filename: "a.txt", file_data: `data:text/plain;base64,${LONG}` }),
  the_name_of_a_file: inputPart({ type: "input_file", file_id: "f", filename: LONG }),
  an_earlier_answer: item({ role: "assistant", content: [{ type: "output_text", text: LONG, annotations: [] }] }),
  an_earlier_refusal: item({ role: "assistant", content: [{ type: "refusal", refusal: LONG }] }),
  the_arguments_of_a_call: responseCall({ arguments: LONG }),
  the_output_of_a_call: { input: [...responseCall({}).input, { type: "function_call_output", call_id: "c", output: LONG }] },
  the_parts_of_an_output: { input: [...responseCall({}).input, { type: "function_call_output", call_id: "c", output: [{ type: "input_text", text: LONG }] }] },
  the_input_of_a_custom_call: { input: [...item({ type: "custom_tool_call", call_id: "c", name: "f", input: LONG }).input, { type: "custom_tool_call_output", call_id: "c", output: "r" }] },
  the_text_of_reasoning: { input: [...item({ type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: LONG }] }).input, { role: "assistant", content: "a" }, { role: "user", content: "b" }] },
  the_description_of_a_tool: { input: "Hi", tools: [{ type: "function", name: "f", description: LONG, parameters: {} }] },
  the_schema_of_a_tool: { input: "Hi", tools: [{ type: "function", name: "f", parameters: { type: "object", title: HALF } }] },
  a_custom_tool: { input: "Hi", tools: [{ type: "custom", name: "c", description: HALF }] },
  a_grammar: { input: "Hi", tools: [{ type: "custom", name: "c", format: { type: "grammar", syntax: "lark", definition: HALF } }] },
  a_format: { input: "Hi", text: { format: { type: "json_schema", name: "s", schema: { title: HALF } } } },
  a_parameter_of_the_chat_template: { input: "Hi", chat_template_kwargs: { x: HALF } },
};

const source = (media_type, data = LONG) => ({ type: "base64", media_type, data });
const block = (content) => ({ messages: [{ role: "user", content: [{ type: "text", text: "Hi" }, content] }] });
const use = (more) => [{ role: "user", content: "Hi" }, { role: "assistant", content: [{ type: "tool_use", id: "c", name: "f", input: {}, ...more.use }] }, { role: "user", content: [{ type: "tool_result", tool_use_id: "c", content: "r", ...more.result }] }];
const tool = (more) => ({ tools: [{ name: "f", input_schema: { type: "object" }, ...more }] });

/** Requests for messages with one long member each. */
const MESSAGES = {
  content: { messages: [{ role: "user", content: LONG }] },
  a_text_block: block({ type: "text", text: LONG }),
  an_earlier_answer: { messages: [{ role: "user", content: "Hi" }, { role: "assistant", content: LONG }] },
  the_system_prompt: { system: LONG },
  a_block_of_the_system_prompt: { system: [{ type: "text", text: LONG }] },
  the_url_of_an_image: block({ type: "image", source: { type: "url", url: `https://x.example/${LONG}` } }),
  a_document: block({ type: "document", source: source("text/plain") }),
  the_text_of_a_document: block({ type: "document", source: { type: "text", media_type: "text/plain", data: LONG } }),
  the_title_of_a_document: block({ type: "document", title: LONG, source: source("application/pdf", "AAAA") }),
  the_input_of_a_call: { messages: use({ use: { input: { a: LONG } } }) },
  the_result_of_a_call: { messages: use({ result: { content: LONG } }) },
  the_blocks_of_a_result: { messages: use({ result: { content: [{ type: "text", text: LONG }] } }) },
  a_text_as_an_image_in_a_result: { messages: use({ result: { content: [{ type: "text", text: `data:image/png;base64,${LONG}` }] } }) },
  an_unknown_member_of_a_block: block({ type: "text", text: "a", x: LONG }),
  a_hundred_images: { messages: [{ role: "user", content: Array(150).fill({ type: "image", source: source("image/png", "AAAA") }) }] },
  the_description_of_a_tool: tool({ description: LONG }),
  the_schema_of_a_tool: tool({ input_schema: { type: "object", title: HALF } }),
  an_unknown_member_of_a_tool: tool({ x: HALF }),
  an_unknown_parameter: { x: HALF },
};

/** Each surface: its path, its smallest body, and requests with one long member each. */
const SURFACES = {
  chat: { path: "chat/completions", base: chatBody(), members: MEMBERS },
  responses: { path: "responses", base: { model: MODEL, store: false }, members: RESPONSES },
  stored_responses: { path: "responses", base: { model: MODEL }, members: { ...RESPONSES, input: { input: HALF } } },
  messages: { path: "messages", base: { model: MODEL, max_tokens: 64, messages: [{ role: "user", content: "Hi" }] }, members: MESSAGES },
};

/** Members that are dropped: they reach no provider, and cost nothing. */
const DROPPED = ["an_unknown_member_of_a_tool", "an_unknown_parameter"];

describe("attack 66: bytes that are not reserved", () => {
  for (const [surface, { path, base, members }] of Object.entries(SURFACES)) {
    test(`attack_66_a_long_member_anywhere_is_reserved_before_it_is_sent (${surface})`, async () => {
      const [{ tenant_id: tenant, secret_key: key }] = stack.tenants;
      await stack.updateSettings(tenant, { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { tokens_per_month: QUOTA } });
      const post = (fields) => fetch(`${stack.url}/v1/${path}`, { method: "POST", headers: { "x-api-key": key, "content-type": "application/json", ...(path === "messages" ? VERSION : {}) }, body: JSON.stringify({ ...base, ...fields }) });
      for (const [name, fields] of Object.entries(members)) {
        const response = await post(fields);
        const text = await response.text();
        if (DROPPED.includes(name)) {
          assert.equal(response.status, 200, `${name}: ${text.slice(0, 500)}`);
          assert.ok(upstream.requests.at(-1).text.length < 1000, `${name} is not sent`);
          continue;
        }
        assert.equal(response.status, 429, `${name}: ${response.status} ${text.slice(0, 500)}`);
        const { error } = JSON.parse(text);
        assert.equal(error.code ?? error.type, path === "messages" ? "billing_error" : "insufficient_quota", `${name}: ${text}`);
      }
      const dropped = Object.keys(members).filter((name) => DROPPED.includes(name));
      assert.equal(upstream.requests.length, dropped.length, "nothing else reached the provider");
      // A request of the usual size is served.
      await complete(stack, {}, { key });
    });
  }

  for (const stream of [false, true]) {
    test(`attack_66_clients_that_leave_before_the_first_byte_pay_for_what_was_sent (${stream ? "stream" : "whole"})`, async () => {
      const { tenant_id: tenant, secret_key: key } = stack.tenants[stream ? 1 : 3];
      await stack.updateSettings(tenant, { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { tokens_per_month: null, micro_dollars_per_month: null } });
      const sent = { messages: [{ role: "user", content: HALF }], stream };
      const tokens = HALF.length / 4;
      // The provider thinks until it is disconnected, or a second after the client has left.
      upstream.always(async (request, response) => {
        await Promise.race([once(response, "close"), sleep(1000)]);
        const usage = { prompt_tokens: tokens, completion_tokens: 3, total_tokens: tokens + 3 };
        if (!response.destroyed) await behaviours.completionOrStream({ content: "Late.", usage })(request, response);
      });
      const clients = Array.from({ length: 10 }, () => new AbortController());
      const calls = clients.map(({ signal }) => postChat(stack, chatBody(sent), { key, signal }).catch(() => undefined));
      await until(() => upstream.requests.length === 10, "the provider has every request");
      for (const client of clients) client.abort();
      await Promise.all(calls);
      const booked = await stack.receipts(tenant, 10);
      for (const receipt of booked) assert.ok(receipt.tokens_in >= tokens, JSON.stringify(receipt));
    });
  }
});

describe("attack 50: quotas that running requests have reserved", () => {
  test("attack_50_a_running_stream_makes_others_wait_and_not_give_up", async () => {
    const { tenant_id: tenant, secret_key: key } = stack.tenants[2];
    await stack.updateSettings(tenant, { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { tokens_per_month: 1000 } });
    let finish;
    const isFinished = new Promise((resolve) => (finish = resolve));
    upstream.next(behaviours.events((request) => behaviours.openingEvents(request, ["a"]), {
      ending: async (response) => {
        await isFinished;
        response.end(`data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":980,"total_tokens":990}}\n\ndata: [DONE]\n\n`);
      },
    }));
    const running = await postChat(stack, chatBody({ stream: true, max_tokens: 100_000 }), { key });
    assert.equal(running.status, 200);
    const response = await postChat(stack, chatBody(), { key });
    assert.notEqual(response.headers.get("x-should-retry"), "false");
    const wait = Number(response.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 10, `retry-after: ${wait}`);
    const { message } = await expectError(response, 429, { code: "rate_limit_exceeded" });
    assert.match(message, /0 used and 1000 reserved of 1000/);
    assert.doesNotMatch(message, /\d{4}-\d{2}-01/, "it does not name the next month");
    finish();
    assert.match(await running.text(), /\[DONE\]/);
    // Now the usage itself leaves too little.
    const usedUp = await postChat(stack, chatBody({ messages: [{ role: "user", content: "word ".repeat(100) }] }), { key });
    assert.equal(usedUp.headers.get("x-should-retry"), "false");
    const { message: final } = await expectError(usedUp, 429, { code: "insufficient_quota" });
    assert.match(final, /990 used and 0 reserved of 1000/);
  });
});
