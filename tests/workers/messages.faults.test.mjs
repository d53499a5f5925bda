// Faults 6 to 13 on the messages surface: streams that break after the first byte, and faults before it.
// A broken stream never looks complete, and the produced tokens are charged. For every wire format.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { PROVIDER_SECRET } from "../harness/behaviours.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { BEFORE_THE_FIRST_BYTE, good, IN_A_STREAM, IN_A_WHOLE_RESPONSE, PARTIAL } from "../harness/faults.mjs";
import { assertMessageError, expectMessageError, messageBody, postMessage, streamMessage } from "../harness/messages-client.mjs";
import { Models } from "../harness/models.mjs";

const models = new Models();
const FALLBACK = models.add(DIALECTS.openai, "fallback", good(DIALECTS.openai));
before(() => models.start({ fallback: FALLBACK, vars: { IDLE_TIMEOUT_MS: "4000", KEEP_ALIVE_MS: "400" } }));
after(() => models.stop());

/** Faults before the first byte that differ in what the provider sends. */
const EARLY = ["a_reset", "a_web_page", "an_error_object_with_status_200", "an_empty_body"];

/** Asserts a broken stream: the text before the break, one error event, no end of a complete message. */
function assertBroken({ stream, events, done, text, error }, type) {
  assert.equal(done, false, `a broken stream must not look complete: ${stream}`);
  assert.equal(text, PARTIAL);
  assertMessageError({ ...error });
  assert.equal(error.error.type, type);
  assert.ok(events.every((event) => event.type !== "message_delta"), "no stop_reason");
  assert.ok(!stream.includes(PROVIDER_SECRET), stream);
}

/** The type of the error of a fault. */
function typeOf(fault, dialect) {
  if (fault === "silence") return "timeout_error";
  return fault === "an_error_after_200" && dialect.kind === "anthropic" ? "overloaded_error" : "api_error";
}

for (const [wire, dialect] of Object.entries(DIALECTS)) {
  const add = (name, behaviour) => models.add(dialect, name, behaviour);

  describe(`a message of ${wire}`, { concurrency: 16 }, () => {
    for (const [fault, make] of Object.entries(IN_A_STREAM)) {
      const model = add(fault, make(dialect));
      test(`whose_stream_breaks_by_${fault}_ends_with_an_error_event_and_is_charged_for_the_sent_text`, async () => {
        const broken = await streamMessage(models.stack, { model }, models.chained);
        assertBroken(broken, typeOf(fault, dialect));
        assert.equal(models.requestsTo(model).length, 1, "no retry after text was sent");
        const receipt = await models.assertCharged(broken.response, "estimated");
        assert.ok(receipt.tokens_out < 20, "only the sent text is charged");
        models.script(model, good(dialect));
        const { message } = await streamMessage(models.stack, { model }, models.chained);
        assert.deepEqual([message.content, message.stop_reason], [[{ type: "text", text: "Hello there." }], "end_turn"]);
      });

      const stored = add(`${fault}-stored`, make(dialect));
      test(`whose_stream_breaks_by_${fault}_is_stored_up_to_the_break`, async () => {
        const headers = { "x-session-id": `${wire}-${fault}` };
        assertBroken(await streamMessage(models.stack, { model: stored }, { ...models.chained, headers }), typeOf(fault, dialect));
        models.script(stored, good(dialect));
        const again = await streamMessage(models.stack, { model: stored }, { ...models.chained, headers });
        assert.ok(again.done, "the session continues");
        assert.match(JSON.stringify(models.requestsTo(stored).at(-1).body.messages), /"Hello"/u, "the partial text is in the history");
      });
    }

    for (const fault of EARLY) {
      for (const stream of [false, true]) {
        const name = `${fault}${stream ? "_of_a_stream" : ""}`;
        const model = add(`early-${name}`, BEFORE_THE_FIRST_BYTE[fault](dialect));
        test(`that_fails_by_${name}_is_an_error_without_charge_and_falls_back`, async () => {
          const response = await postMessage(models.stack, messageBody({ model, stream }), models.alone);
          const error = await expectMessageError(response, 502, "api_error");
          assert.ok(!error.message.includes(PROVIDER_SECRET), error.message);
          await models.assertUncharged(response);
          const answered = await postMessage(models.stack, messageBody({ model, stream }), models.chained);
          assert.equal(answered.status, 200, await answered.clone().text());
          assert.equal(answered.headers.get("x-clawless-model"), FALLBACK);
        });
      }
    }

    for (const [fault, make] of Object.entries(IN_A_WHOLE_RESPONSE)) {
      if (fault === "no_finish_reason" && dialect.requiresFinishReason === false) continue;
      const model = add(`whole-${fault}`, make(dialect));
      test(`whose_body_breaks_by_${fault}_is_an_error`, async () => {
        const response = await postMessage(models.stack, messageBody({ model }), models.alone);
        assert.ok(response.status >= 500, `${response.status}`);
        assertMessageError(await response.json());
      });
    }
  });
}
