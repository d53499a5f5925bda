// Conversations in sessions over every wire format, by the unmodified official `openai` package: a
// photo, a model that thinks for a long time, and a chain of three tool calls.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { STEPS, THINKING_MS } from "../../harness/conversations.mjs";
import { startScripted } from "../../harness/scripted.mjs";

let gateway;
let client;
before(async () => {
  gateway = await startScripted();
  client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0 });
});
after(() => gateway?.stop());

/** Runs `converse(say, model)` in a new session for each wire format, streamed and not. */
async function forEach(name, converse) {
  assert.equal(gateway.converse.length, 3, "one per wire format");
  for (const model of gateway.converse) {
    for (const stream of [false, true]) {
      const options = { headers: { "x-session-id": `${name}-${model}-${stream}` } };
      const say = async (messages, more = {}) => {
        const request = { model, messages, ...more };
        const completion = await (stream ? client.chat.completions.stream(request, options).finalChatCompletion() : client.chat.completions.create(request, options));
        return completion.choices[0];
      };
      await converse(say, model);
    }
  }
}

const user = (content) => [{ role: "user", content }];
const see = async (say, content) => JSON.parse((await say(user(content))).message.content);

test("a_photo_in_a_session_keeps_the_history_before_and_after_it", () => forEach("photo", async (say, model) => {
  await see(say, "My name is Ada.");
  const url = `data:image/jpeg;base64,${randomBytes(60_000).toString("base64")}`;
  const photo = [{ type: "text", text: "look" }, { type: "image_url", image_url: { url } }];
  assert.deepEqual(await see(say, photo), { images: 1, ada: true }, model);
  for (let turn = 0; turn < 2; turn += 1) assert.deepEqual(await see(say, "What is my name?"), { images: 1, ada: true }, model);
}));

test("a_model_that_thinks_for_long_responds_in_a_session", () => forEach("thinking", async (say, model) => {
  await see(say, "My name is Ada.");
  const startedAt = performance.now();
  const { message, finish_reason } = await say(user("Think."));
  assert.deepEqual([message.content, finish_reason], ["Done.", "stop"], model);
  assert.ok(performance.now() - startedAt >= THINKING_MS - 100);
  assert.equal((await see(say, "What is my name?")).ada, true, model);
}));

test("a_chain_of_three_tool_calls_runs_in_a_session", () => forEach("chain", async (say, model) => {
  const parameters = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
  const tools = [{ type: "function", function: { name: "step", parameters } }];
  let choice = await say(user("Climb."), { tools });
  for (let step = 1; step <= STEPS; step += 1) {
    assert.equal(choice.finish_reason, "tool_calls", model);
    const [call, ...others] = choice.message.tool_calls;
    assert.equal(others.length, 0);
    assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], ["step", { n: step }], model);
    // The session has the call: only its result is sent.
    choice = await say([{ role: "tool", tool_call_id: call.id, content: `level ${step}` }], { tools });
  }
  assert.deepEqual([choice.message.content, choice.finish_reason], [`The top: level ${STEPS}`, "stop"], model);
}));
