// Faults 6 to 13 on the Responses surface: streams that break after the first byte. A broken answer never
// looks complete, has one terminal event, and is charged for the sent text. For every wire format.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { expectError } from "../harness/client.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { BEFORE_THE_FIRST_BYTE, good, IN_A_STREAM, IN_A_WHOLE_RESPONSE, PARTIAL } from "../harness/faults.mjs";
import { Models } from "../harness/models.mjs";
import { call, parseResponseEvents, postResponse, terminalEvent } from "../harness/responses.mjs";

const models = new Models();
const FALLBACK = models.add(DIALECTS.openai, "fallback", good(DIALECTS.openai));
const [IDLE_MS, KEEP_ALIVE_MS] = [4000, 400];
before(() => models.start({ fallback: FALLBACK, vars: { IDLE_TIMEOUT_MS: `${IDLE_MS}`, KEEP_ALIVE_MS: `${KEEP_ALIVE_MS}` } }));
after(() => models.stop());

/** Sends a streamed request. A fallback model is configured and must never be used after the first byte. */
async function stream(model, fields = {}) {
  const response = await postResponse(models.stack, { model, input: "Say hello.", stream: true, ...fields }, models.chained);
  if (response.status !== 200) assert.fail(`${response.status} ${await response.text()}`);
  const text = await response.text();
  return { response, text, events: parseResponseEvents(text) };
}

for (const [wire, dialect] of Object.entries(DIALECTS)) {
  describe(`a response of ${wire} whose stream breaks`, { concurrency: 16 }, () => {
    for (const [fault, make] of Object.entries(IN_A_STREAM)) {
      const model = models.add(dialect, fault, make(dialect));
      test(`by_${fault}_ends_with_response_failed_and_is_charged_for_the_sent_text`, async () => {
        const { response, text, events } = await stream(model);
        const { type, response: failed } = terminalEvent(events);
        assert.equal(type, "response.failed");
        assert.deepEqual([failed.status, failed.error.code], ["failed", "server_error"]);
        assert.equal(failed.output[0].content[0].text, PARTIAL);
        assert.equal(failed.output[0].status, "incomplete");
        assert.ok(!events.some(({ type: name }) => name.endsWith(".done")), "nothing looks complete");
        assert.ok(!text.includes(behaviours.PROVIDER_SECRET), text);
        assert.equal(models.requestsTo(model).length, 1, "no retry after text was sent");
        const receipt = await models.assertCharged(response, "estimated");
        assert.equal(receipt.model, model);
        const stored = await call(models.stack, "GET", `/responses/${failed.id}`, undefined, models.chained);
        assert.deepEqual([stored.status, stored.body.status], [200, "failed"], JSON.stringify([stored.body, models.stack.logs.filter(({ message }) => message.includes(stored.headers.get("x-request-id")))]));
        models.script(model, good(dialect));
        assert.equal(terminalEvent((await stream(model)).events).type, "response.completed", "the next request works");
      });
    }

    const tools = [{ type: "function", name: "look", parameters: { type: "object" } }];
    const calls = [{ id: "call_1", name: "look", input: { at: "everything" } }];
    if (dialect.splitsCalls !== false) {
      const model = models.add(dialect, "within_a_call", behaviours.events((request) => dialect.calls(request, calls).slice(0, -1)));
      test("within_a_call_has_no_done_call", async () => {
        const { events } = await stream(model, { tools });
        assert.equal(terminalEvent(events).type, "response.failed");
        assert.ok(!events.some(({ type }) => type === "response.output_item.done" || type === "response.function_call_arguments.done"));
      });
    }
  });

  describe(`a response of ${wire} that fails before its first byte`, { concurrency: 8 }, () => {
    for (const fault of ["a_reset", "an_empty_body"]) {
      const { [fault]: make } = BEFORE_THE_FIRST_BYTE;
      const model = models.add(dialect, `${fault}-early`, make(dialect));
      test(`by_${fault}_is_answered_by_the_fallback`, async () => {
        const { response, events } = await stream(model);
        assert.equal(terminalEvent(events).type, "response.completed");
        assert.equal(response.headers.get("x-clawless-model"), FALLBACK);
      });
      test(`by_${fault}_is_an_error_without_a_fallback`, async () => {
        const response = await postResponse(models.stack, { model, input: "Say hello.", stream: true }, models.alone);
        await expectError(response, 502);
        await models.assertUncharged(response);
      });
    }
  });

  describe(`a whole response of ${wire} that breaks`, { concurrency: 8 }, () => {
    for (const [fault, make] of Object.entries(IN_A_WHOLE_RESPONSE)) {
      if (fault === "no_finish_reason" && dialect.requiresFinishReason === false) continue;
      const model = models.add(dialect, `${fault}-whole`, make(dialect));
      test(`by_${fault}_is_an_error`, async () => {
        const response = await postResponse(models.stack, { model, input: "Say hello." }, models.alone);
        assert.ok(response.status >= 500, `${response.status}`);
        assert.equal((await response.json()).error.type, "upstream_error");
      });
    }
  });
}

describe("a silent response", () => {
  const slow = models.add(DIALECTS.openai, "slow", behaviours.stream({ pieces: ["a", "b", "c"], delayMs: 1200 }));
  test("has_keep_alive_comments_between_its_events", async () => {
    const { text, events } = await stream(slow);
    assert.ok(text.split("\n\n").filter((block) => block.startsWith(":")).length >= 2, text);
    assert.equal(terminalEvent(events).response.output[0].content[0].text, "abc");
  });
});
