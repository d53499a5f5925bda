// Faults 1 to 4, 13 and 14, and faults of non-streamed responses: before the first byte, the
// client gets an HTTP error without a charge, or the response of the fallback model. For every
// wire format, streamed and not.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { expectError } from "../harness/client.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { BEFORE_THE_FIRST_BYTE, good, IN_A_WHOLE_RESPONSE, refusal } from "../harness/faults.mjs";
import { forEachWire, Models } from "../harness/models.mjs";
import { requestModel, expectCompleteResponse, idleFor, declareFaultTests } from "../harness/fault-tests.mjs";

const models = new Models();
const LAST = models.add(DIALECTS.openai, "last-of-the-chain", good(DIALECTS.openai));
before(() => models.start({ fallback: LAST }));
after(() => models.stop());

const RETRIED = 3;
const ONCE = 1;

describe("before the first byte", { concurrency: 16 }, () => {
  forEachWire((dialect, stream, wire) => {
    const declare = (name, expected) => declareFaultTests(models, LAST, dialect, stream, wire, name, expected);
    declare("a_429", { behaviour: refusal(dialect, 429, { "retry-after": "7" }), status: 429, calls: ONCE, retryAfter: /^7$/ });
    for (const [status, expected] of Object.entries({ 500: 502, 502: 502, 503: 503, 504: 502 })) {
      declare(`a_${status}`, { behaviour: refusal(dialect, Number(status)), status: expected, calls: RETRIED, retryAfter: expected === 503 ? /^\d+$/ : undefined });
    }
    declare("a_529", { behaviour: refusal(dialect, 529), status: 503, calls: RETRIED, retryAfter: /^\d+$/ });
    for (const status of [401, 403, 404]) declare(`a_${status}`, { behaviour: refusal(dialect, status), status: 502, calls: ONCE });
    const retried = ["a_reset", "a_connection_closed_without_a_response", "bytes_that_are_not_http", "an_error_object_with_status_200"];
    for (const [name, make] of Object.entries(BEFORE_THE_FIRST_BYTE)) {
      if (name === "a_redirect" && dialect.hasAddress === false) continue;
      declare(name, { behaviour: make(dialect), status: 502, calls: retried.includes(name) ? RETRIED : ONCE });
    }
    if (dialect.hasAddress !== false) {
      declare("a_refused_connection", { behaviour: good(dialect), status: 502, overrides: { base_url: "http://127.0.0.1:1/v1" } });
      declare("a_name_that_does_not_exist", { behaviour: good(dialect), status: 502, overrides: { base_url: "http://no-such-provider.invalid/v1" } });
    }

    if (stream) {
      declare("a_stream_without_content", { behaviour: idleFor(dialect, 4), status: 502, calls: ONCE });
      declare("an_error_as_the_first_event", {
        behaviour: behaviours.events(() => [dialect.errorEvent()]),
        status: dialect.kind === "anthropic" ? 503 : 502, // Anthropic's event reports an overload
        calls: RETRIED,
        retryAfter: dialect.kind === "anthropic" ? /^\d+$/ : undefined,
      });
    } else {
      const cut = ["a_reset_in_the_middle", "a_cut_in_the_middle", "no_finish_reason"];
      for (const [name, make] of Object.entries(IN_A_WHOLE_RESPONSE)) {
        if (name === "no_finish_reason" && dialect.requiresFinishReason === false) continue;
        declare(name, { behaviour: make(dialect), status: 502, calls: cut.includes(name) ? RETRIED : ONCE });
      }
      for (const at of [0, 1, 2, 3]) {
        const behaviour = behaviours.json(200, (request) => dialect.empty(request)[at]);
        declare(`a_response_without_a_message_${at}`, { behaviour, status: 502, calls: dialect.kind === "anthropic" && at >= 2 ? RETRIED : ONCE });
      }
    }

    for (const [name, behaviour] of Object.entries({
      a_500: refusal(dialect, 500),
      a_502: refusal(dialect, 502),
      a_503: refusal(dialect, 503),
      a_504: refusal(dialect, 504),
      a_529: refusal(dialect, 529),
      a_reset: behaviours.resetBeforeResponse(),
      a_429_for_a_second: refusal(dialect, 429, { "retry-after": "1" }),
    })) {
      const id = models.add(dialect, `${wire}-${name}-twice`, behaviour);
      test(`${name}_twice_is_retried_until_success_for_${wire}`, async () => {
        let calls = 0;
        models.script(id, (request, response) => ((calls += 1) <= 2 ? behaviour : good(dialect))(request, response));
        const startedAt = performance.now();
        const { response, text } = await expectCompleteResponse(models, id, stream);
        assert.equal(text, "Hello there.");
        assert.equal(response.headers.get("x-clawless-tries"), "3");
        assert.equal(calls, 3);
        if (name === "a_429_for_a_second") assert.ok(performance.now() - startedAt >= 2000, "retries wait as long as `retry-after`");
        await models.assertCharged(response, "provider");
      });
    }

    const session = models.add(dialect, `${wire}-session`, good(dialect));
    test(`a_turn_that_needed_a_retry_is_stored_once_for_${wire}`, async () => {
      let calls = 0;
      models.script(session, (request, response) => ((calls += 1) === 1 ? refusal(dialect, 503) : good(dialect))(request, response));
      for (let turn = 0; turn < 2; turn += 1) {
        const response = await requestModel(models, session, stream, models.alone, { session_id: `retried-${wire}` });
        assert.equal(response.status, 200, await response.text());
      }
      assert.deepEqual(models.requestsTo(session).map(({ body }) => body.messages.length), [1, 1, 3]);
    });

    const wrong = { error: { message: "stop: too many texts", type: "invalid_request_error", param: "stop" } };
    const rejected = models.add(dialect, `${wire}-invalid`, behaviours.json(400, wrong));
    test(`a_request_that_the_provider_rejects_is_a_400_without_a_fallback_for_${wire}`, async () => {
      const response = await requestModel(models, rejected, stream, models.chained);
      await expectError(response, 400, { param: "stop" });
      assert.equal(models.requestsTo(rejected).length, 1);
      await models.assertUncharged(response);
    });

    const uncounted = models.add(dialect, `${wire}-uncounted`, good(dialect, { usage: false }));
    test(`missing_usage_is_estimated_and_marked_for_${wire}`, async () => {
      const response = await requestModel(models, uncounted, stream, models.alone, stream ? { stream_options: { include_usage: true } } : {});
      const text = await response.text();
      assert.match(text, /"completion_tokens":[1-9]/);
      const receipt = await models.assertCharged(response, "estimated");
      assert.match(text, new RegExp(`"total_tokens":${receipt.charged_tokens}\\b`), "the reported usage equals the charge");
    });
  });
});

test("no_reservation_is_left_open", async () => {
  for (const caller of [models.alone, models.chained]) await models.assertNothingReserved(caller, LAST);
});
