// The unmodified `@openai/agents` on the Responses surface, with a scripted model that calls its tools.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Agent, OpenAIResponsesModel, Runner, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { CALLS, startScripted } from "../../harness/scripted.mjs";

setTracingDisabled(true);
let gateway;
let client;
before(async () => {
  gateway = await startScripted();
  client = new OpenAI({ baseURL: gateway.base_url, apiKey: gateway.secret_key, maxRetries: 0 });
});
after(() => gateway?.stop());

const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: true };
const RESULTS = Object.fromEntries(CALLS.map(({ id, name }) => [id, `${name}: 21 °C, "fine"`]));

/** An agent whose tools record what they are called with. */
function agentOf(model, seen, modelSettings = {}) {
  const tools = CALLS.map(({ id, name }) =>
    tool({
      name,
      description: name,
      parameters,
      strict: false,
      execute: (input) => {
        seen.push({ id, name, input: typeof input === "string" ? JSON.parse(input) : input });
        return RESULTS[id];
      },
    }),
  );
  return new Agent({ name: "Weather", instructions: "Answer briefly.", tools, modelSettings, model: new OpenAIResponsesModel(client, model) });
}

function assertRoundTrip(seen, output) {
  assert.deepEqual(seen.toSorted((a, b) => a.id.localeCompare(b.id)), CALLS);
  assert.deepEqual(JSON.parse(output), { recalled: CALLS, results: RESULTS });
}

test("an_agent_runs_its_tools_and_answers", async () => {
  for (const model of gateway.tools) {
    const seen = [];
    const result = await new Runner().run(agentOf(model, seen), "What is the weather, and what is the time?");
    assertRoundTrip(seen, result.finalOutput);
  }
});

test("an_agent_streams_its_answer", async () => {
  for (const model of gateway.tools) {
    const seen = [];
    const result = await new Runner().run(agentOf(model, seen, { store: false }), "What is the weather, and what is the time?", { stream: true });
    let text = "";
    for await (const piece of result.toTextStream()) text += piece;
    await result.completed;
    assertRoundTrip(seen, result.finalOutput);
    assert.equal(text, result.finalOutput);
  }
});

test("an_agent_continues_its_last_response", async () => {
  const [model] = gateway.good;
  const agent = new Agent({ name: "Greeter", model: new OpenAIResponsesModel(client, model) });
  const first = await new Runner().run(agent, "Say hello.");
  const second = await new Runner().run(agent, "Again.", { previousResponseId: first.lastResponseId });
  assert.equal(second.finalOutput, "Hello there.");
  const { body } = gateway.models.requestsTo(model).at(-1);
  const texts = body.messages.map(({ content }) => (typeof content === "string" ? content : content.map(({ text }) => text).join("")));
  assert.deepEqual(texts, ["Say hello.", "Hello there.", "Again."]);
});

test("an_agent_fails_if_the_answer_breaks_off", async () => {
  for (const model of gateway.breaks.slice(0, 4)) {
    const agent = new Agent({ name: "Greeter", model: new OpenAIResponsesModel(client, model) });
    await assert.rejects(async () => {
      const result = await new Runner().run(agent, "Say hello.", { stream: true });
      for await (const _ of result.toTextStream());
      await result.completed;
    }, Error, model);
  }
});
