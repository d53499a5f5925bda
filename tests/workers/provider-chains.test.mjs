// Chains of tool calls whose provider needs its own members back (docs/provider-cases.md, case 3), by the
// unmodified official packages: stateless and in a session, on each surface that clients use for chains.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { chunk, events, json, USAGE } from "../harness/behaviours.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";

const STEPS = 3;

/** What each provider needs with the calls of its message, by the step. */
const NEEDED = {
  deepseek: (step) => ({ message: { reasoning_content: `thought ${step}` } }),
  gemini: (step) => ({ call: { extra_content: { google: { thought_signature: `sig${step}==` } } } }),
  openrouter: (step) => ({ message: { reasoning_details: [{ type: "reasoning.encrypted", data: `data${step}`, id: `rs_${step}`, index: 0 }] } }),
};
const PROFILES = Object.keys(NEEDED);

let upstream;
let stack;
let acting;
before(async () => {
  upstream = await startUpstream();
  const providers = PROFILES.map((profile) => upstream.provider({ name: profile, profile, models: [{ id: profile }] }));
  stack = await startStack({ tenants: 2, upstream, vars: { PROVIDERS: JSON.stringify(providers) } });
  const limits = { requests_per_minute: null, burst: null, concurrent: null };
  for (const { tenant_id } of stack.tenants) await stack.updateSettings(tenant_id, { limits });
  acting = stack.tenants[1];
  await stack.updateSettings(acting.tenant_id, { limits, tools: ["time_now"] });
});
after(async () => {
  await stack?.stop();
  await upstream?.close();
});
beforeEach(() => {
  upstream.reset();
  upstream.always(climb("step"));
});

/** Calls a tool `STEPS` times. Like the real providers it rejects a chain without its members. */
function climb(tool) {
  return (request, response) => {
    const { model, messages, stream } = request.body;
    const called = messages.filter((message) => message.tool_calls);
    for (const [position, message] of called.entries()) {
      const needed = NEEDED[model](position + 1);
      const has = (object, members = {}) => Object.entries(members).every(([name, value]) => JSON.stringify(object[name]) === JSON.stringify(value));
      if (has(message, needed.message) && has(message.tool_calls[0], needed.call)) continue;
      const error = { message: `step ${position + 1} lacks ${JSON.stringify(needed)}: ${JSON.stringify(message)}`, type: "invalid_request_error" };
      return json(400, { error })(request, response);
    }
    const step = called.length + 1;
    const { message = {}, call = {} } = step > STEPS ? {} : NEEDED[model](step);
    const calls = step > STEPS ? [] : [{ id: `call_${step}`, type: "function", function: { name: tool, arguments: "{}" }, ...call }];
    const content = step > STEPS ? "The top." : null;
    const reason = step > STEPS ? "stop" : "tool_calls";
    if (stream !== true) {
      const answer = { role: "assistant", content, ...message, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
      return json(200, { id: "x", object: "chat.completion", created: 1, model, choices: [{ index: 0, message: answer, finish_reason: reason }], usage: USAGE })(request, response);
    }
    return events((req) => [
      chunk(req, { role: "assistant", content, ...message }),
      ...calls.map((it, index) => chunk(req, { tool_calls: [{ index, ...it }] })),
      chunk(req, {}, reason),
      { ...chunk(req, {}), choices: [], usage: USAGE },
      "[DONE]",
    ])(request, response);
  };
}

const openai = (key = stack.key) => new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: key, maxRetries: 0 });
const anthropic = (key = stack.key) => new Anthropic({ baseURL: stack.url, apiKey: key, maxRetries: 0 });
const parameters = { type: "object", properties: {} };
const user = { role: "user", content: "Climb." };

for (const model of PROFILES) {
  for (const stream of [false, true]) {
    describe(`${model}, ${stream ? "streamed" : "whole"}`, () => {
      const tools = [{ type: "function", function: { name: "step", parameters } }];
      const complete = async (body, options, key) => {
        const request = { model, tools, ...body };
        const { completions } = openai(key).chat;
        const completion = await (stream ? completions.stream(request, options).finalChatCompletion() : completions.create(request, options));
        return completion.choices[0];
      };
      const create = async (body, options, key) => {
        const request = { model, max_tokens: 1000, tools: [{ name: "step", input_schema: parameters }], ...body };
        const { messages } = anthropic(key);
        return stream ? messages.stream(request, options).finalMessage() : messages.create(request, options);
      };

      test("a_chain_returns_its_members_in_chat_completions", async () => {
        const messages = [user];
        for (let step = 1; step <= STEPS; step += 1) {
          const { message } = await complete({ messages });
          assert.equal(message.tool_calls[0].id, `call_${step}`);
          messages.push(message, { role: "tool", tool_call_id: message.tool_calls[0].id, content: `${step}` });
        }
        assert.equal((await complete({ messages })).message.content, "The top.");
      });

      test("a_chain_in_a_session_keeps_its_members", async () => {
        const options = { headers: { "x-session-id": `chain-${model}-${stream}` } };
        let { message } = await complete({ messages: [user] }, options);
        for (let step = 1; step <= STEPS; step += 1) {
          const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: `${step}` };
          ({ message } = await complete({ messages: [result] }, options));
        }
        assert.equal(message.content, "The top.");
      });

      test("a_chain_of_server_tools_keeps_its_members", async () => {
        upstream.always(climb("time_now"));
        const { message } = await complete({ messages: [user], tools: undefined }, {}, acting.secret_key);
        assert.equal(message.content, "The top.");
        assert.equal(upstream.requests.length, STEPS + 1);
      });

      test("a_chain_returns_its_members_in_messages", async () => {
        const messages = [user];
        let message = await create({ messages });
        for (let step = 1; step <= STEPS; step += 1) {
          const call = message.content.find(({ type }) => type === "tool_use");
          assert.equal(call.id, `call_${step}`, JSON.stringify(message.content));
          const result = { type: "tool_result", tool_use_id: call.id, content: `${step}` };
          messages.push({ role: "assistant", content: message.content }, { role: "user", content: [result] });
          message = await create({ messages });
        }
        assert.equal(message.content.at(-1).text, "The top.");
        assert.ok(!JSON.stringify(upstream.lastBody).includes("clawless"));
      });

      test("a_chain_of_messages_in_a_session_keeps_its_members", async () => {
        const options = { headers: { "x-session-id": `messages-${model}-${stream}` } };
        let message = await create({ messages: [user] }, options);
        for (let step = 1; step <= STEPS; step += 1) {
          const result = { type: "tool_result", tool_use_id: `call_${step}`, content: `${step}` };
          message = await create({ messages: [{ role: "user", content: [result] }] }, options);
        }
        assert.equal(message.content.at(-1).text, "The top.");
      });
    });
  }
}

test("members_of_one_model_reach_no_other", async () => {
  const [gemini, openrouter] = ["gemini", "openrouter"];
  const tools = [{ name: "step", input_schema: parameters }];
  const request = { model: gemini, max_tokens: 1000, tools, messages: [user] };
  const { content } = await anthropic().messages.create(request);
  const result = { type: "tool_result", tool_use_id: "call_1", content: "1" };
  const messages = [user, { role: "assistant", content }, { role: "user", content: [result] }];
  upstream.always(json(200, { id: "x", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message: { role: "assistant", content: "ok" }, finish_reason: "stop" }], usage: USAGE }));
  await anthropic().messages.create({ ...request, model: openrouter, messages });
  const sent = JSON.stringify(upstream.lastBody);
  assert.ok(!sent.includes("sig1") && !sent.includes("clawless"), sent);
});
