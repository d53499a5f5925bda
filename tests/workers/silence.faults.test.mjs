// Fault 5, and fault 10 of a non-streamed response: a provider that sends nothing or stops
// sending. For every wire format, streamed and not.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { expectError } from "../harness/client.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { bytes, good } from "../harness/faults.mjs";
import { forEachWire, Models } from "../harness/models.mjs";
import { requestModel, expectCompleteResponse, idleFor, declareFaultTests } from "../harness/fault-tests.mjs";
import { until } from "../harness/wait.mjs";

const models = new Models();
const LAST = models.add(DIALECTS.openai, "last-of-the-chain", good(DIALECTS.openai));
/** All provider timeouts: long enough for a busy machine; the tests wait concurrently. They are four times as long for providers that may think silently. */
const TIMEOUT_MS = 2500;
// Without an early head every failure is a status.
const vars = { EARLY_HEAD_MS: "60000", FIRST_BYTE_TIMEOUT_MS: `${TIMEOUT_MS}`, WHOLE_TIMEOUT_MS: `${TIMEOUT_MS}`, IDLE_TIMEOUT_MS: `${TIMEOUT_MS}` };
before(async () => {
  await models.start({ fallback: LAST, vars });
  // The first request takes longer.
  await expectCompleteResponse(models, LAST, false);
});
after(() => models.stop());

describe("silence", { concurrency: 40 }, () => {
  forEachWire((dialect, stream, wire) => {
    const silent = (name, behaviour) => declareFaultTests(models, LAST, dialect, stream, wire, name, { behaviour, status: 504, calls: 1 });
    silent("silence", behaviours.silence());
    silent("a_head_and_then_silence", headAndSilence(stream));
    if (stream) silent("endless_keep_alive_events", idleFor(dialect, Infinity));

    const left = models.add(dialect, `${wire}-left`, behaviours.silence());
    test(`a_provider_is_disconnected_after_the_timeout_for_${wire}`, async () => {
      let closed = false;
      models.script(left, async (_request, response) => {
        response.on("close", () => (closed = true));
        await new Promise((resolve) => response.on("close", resolve));
      });
      await expectError(await requestModel(models, left, stream), 504);
      await until(() => closed, "the connection is closed");
    });
  });
});

describe("a whole response", { concurrency: 6 }, () => {
  for (const [name, dialect] of Object.entries(DIALECTS)) {
    const dripping = models.add(dialect, "dripping", async (request, response) => {
      const whole = bytes({ raw: JSON.stringify(dialect.body(request, { text: "漢字 👩‍👩‍👧‍👦" })) });
      response.writeHead(200, { "content-type": "application/json" });
      for (let at = 0; at < whole.length; at += 1) {
        response.write(whole.subarray(at, at + 1));
        await new Promise((resolve) => setTimeout(resolve, at % 60 === 0 ? TIMEOUT_MS / 4 : 0));
      }
      response.end();
    });
    test(`a_slow_response_byte_by_byte_is_exact_for_${name}_whole`, async () => {
      const { text } = await expectCompleteResponse(models, dripping, false);
      assert.equal(text, "漢字 👩‍👩‍👧‍👦");
    });

    const stuck = models.add(dialect, "stuck", async (request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(JSON.stringify(dialect.body(request)).slice(0, 40));
      await new Promise((resolve) => response.on("close", resolve));
    });
    test(`a_response_that_stalls_is_a_504_without_charge_for_${name}_whole`, async () => {
      const response = await requestModel(models, stuck, false);
      await expectError(response, 504);
      await models.assertUncharged(response);
    });
  }
});

test("no_reservation_is_left_open", async () => {
  for (const caller of [models.alone, models.chained]) await models.assertNothingReserved(caller, LAST);
});

/** Sends the response headers and nothing after them. */
function headAndSilence(stream) {
  return async (_request, response) => {
    response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
    response.flushHeaders();
    await new Promise((resolve) => response.on("close", resolve));
  };
}
