// Faults 1 to 5, 13 and 14, and what breaks a whole answer: whatever a model's
// server does before the first byte of an answer, the client gets an HTTP error
// and no charge, or the next model's answer. For every wire, streamed and not.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as does from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { BEFORE_THE_FIRST_BYTE, bytes, good, IN_A_WHOLE_ANSWER, refusal } from "../harness/faults.mjs";
import { forEachWire, Models } from "../harness/models.mjs";
import { until } from "../harness/wait.mjs";

const models = new Models();
const LAST = models.add(DIALECTS.openai, "last-of-the-chain", good(DIALECTS.openai));
/** How long silence is borne. Long enough for a busy machine; the silent ones are waited for side by side. */
const PATIENCE_MS = 4000;
const vars = { FIRST_BYTE_TIMEOUT_MS: `${PATIENCE_MS}`, WHOLE_TIMEOUT_MS: `${PATIENCE_MS}`, IDLE_TIMEOUT_MS: `${PATIENCE_MS}` };
before(() => models.start({ fallback: LAST, vars }));
after(() => models.stop());

const ask = (model, stream, { key } = models.alone, fields = {}) => postChat(models.stack, chatBody({ model, stream, ...fields }), { key });

/** An answer that is whole, whichever way it was asked for. */
async function expectAnswer(model, stream, caller = models.alone) {
  const fields = { model };
  if (stream) {
    const { response, text, done } = await completeStream(models.stack, fields, caller);
    assert.ok(done);
    return { response, text };
  }
  const { response, body } = await complete(models.stack, fields, caller);
  return { response, text: body.choices[0].message.content };
}

/** Nothing of what the provider said in its own words. */
function assertOurWords(error) {
  assert.ok(!error.message.includes(does.PROVIDER_SECRET), error.message);
}

/**
 * Declares the promise about one fault before the first byte: its status, no
 * charge, this many calls, the next model's answer where there is one, and a good
 * answer as soon as the provider is well.
 */
function promise(dialect, stream, wire, name, { behaviour, status, calls, retryAfter, overrides }) {
  const id = `${wire}-${name}`;
  const alone = models.add(dialect, id, behaviour, overrides);
  const chained = models.add(dialect, `${id}-chained`, behaviour, overrides);
  const reaches = overrides === undefined;

  test(`${name}_is_a_${status}_without_charge_for_${wire}`, async () => {
    const response = await ask(alone, stream);
    const waits = response.headers.get("retry-after");
    if (retryAfter) assert.match(waits ?? "", retryAfter);
    else assert.equal(waits, null);
    const error = await expectError(response, status);
    assertOurWords(error);
    if (status === 429) assert.notEqual(error.code, "insufficient_quota", "it is not the tenant's quota that is used up");
    if (reaches) assert.equal(models.asked(alone).length, calls);
    await models.assertUncharged(response);
    if (!reaches) return;
    models.script(alone, good(dialect));
    await expectAnswer(alone, stream);
  });

  test(`${name}_is_answered_by_the_next_model_for_${wire}`, async () => {
    const { response, text } = await expectAnswer(chained, stream, models.chained);
    assert.equal(text, "Hello there.");
    assert.equal(response.headers.get("x-clawless-model"), LAST);
    assert.ok(models.asked(chained).length <= 3);
    const receipt = await models.assertCharged(response, "provider");
    assert.equal(receipt.model, LAST);
  });
}

const RETRIED = 3;
const ONCE = 1;

describe("before the first byte", { concurrency: 24 }, () => {
  forEachWire((dialect, stream, wire) => {
    const declare = (name, expected) => promise(dialect, stream, wire, name, expected);
    declare("a_429", { behaviour: refusal(dialect, 429, { "retry-after": "7" }), status: 429, calls: ONCE, retryAfter: /^7$/ });
    for (const [status, told] of Object.entries({ 500: 502, 502: 502, 503: 503, 504: 502 })) {
      declare(`a_${status}`, { behaviour: refusal(dialect, Number(status)), status: told, calls: RETRIED, retryAfter: told === 503 ? /^\d+$/ : undefined });
    }
    declare("a_529", { behaviour: refusal(dialect, 529), status: 503, calls: RETRIED, retryAfter: /^\d+$/ });
    for (const status of [401, 403, 404]) declare(`a_${status}`, { behaviour: refusal(dialect, status), status: 502, calls: ONCE });
    const retried = ["a_reset", "a_connection_closed_without_a_word", "bytes_that_are_no_http", "an_error_object_with_status_200"];
    for (const [name, make] of Object.entries(BEFORE_THE_FIRST_BYTE)) {
      declare(name, { behaviour: make(dialect), status: 502, calls: retried.includes(name) ? RETRIED : ONCE });
    }
    declare("a_refused_connection", { behaviour: good(dialect), status: 502, overrides: { base_url: "http://127.0.0.1:1/v1" } });
    declare("a_name_that_does_not_exist", { behaviour: good(dialect), status: 502, overrides: { base_url: "http://no-such-provider.invalid/v1" } });

    if (stream) {
      declare("a_stream_without_an_answer_in_it", { behaviour: idleFor(dialect, 4), status: 502, calls: ONCE });
      declare("an_error_as_the_first_event", {
        behaviour: does.events(() => [dialect.reported()]),
        status: dialect.kind === "anthropic" ? 503 : 502, // Anthropic's says that it is overloaded
        calls: RETRIED,
        retryAfter: dialect.kind === "anthropic" ? /^\d+$/ : undefined,
      });
    } else {
      const cut = ["a_reset_in_the_middle", "a_cut_in_the_middle", "no_finish_reason"];
      for (const [name, make] of Object.entries(IN_A_WHOLE_ANSWER)) {
        declare(name, { behaviour: make(dialect), status: 502, calls: cut.includes(name) ? RETRIED : ONCE });
      }
      for (const at of [0, 1, 2, 3]) {
        const behaviour = does.json(200, (request) => dialect.empty(request)[at]);
        declare(`an_answer_without_an_answer_${at}`, { behaviour, status: 502, calls: dialect.kind === "anthropic" && at >= 2 ? RETRIED : ONCE });
      }
    }

    for (const [name, behaviour] of Object.entries({
      a_500: refusal(dialect, 500),
      a_502: refusal(dialect, 502),
      a_503: refusal(dialect, 503),
      a_504: refusal(dialect, 504),
      a_529: refusal(dialect, 529),
      a_reset: does.resetBeforeAnswer(),
      a_429_for_a_second: refusal(dialect, 429, { "retry-after": "1" }),
    })) {
      const id = models.add(dialect, `${wire}-${name}-twice`, behaviour);
      test(`${name}_twice_is_not_noticed_for_${wire}`, async () => {
        let calls = 0;
        models.script(id, (request, response) => ((calls += 1) <= 2 ? behaviour : good(dialect))(request, response));
        const began = performance.now();
        const { response, text } = await expectAnswer(id, stream);
        assert.equal(text, "Hello there.");
        assert.equal(response.headers.get("x-clawless-tries"), "3");
        assert.equal(calls, 3);
        if (name === "a_429_for_a_second") assert.ok(performance.now() - began >= 2000, "asked no sooner than it said");
        await models.assertCharged(response, "provider");
      });
    }

    const session = models.add(dialect, `${wire}-session`, good(dialect));
    test(`a_turn_that_needed_a_retry_is_stored_once_for_${wire}`, async () => {
      let calls = 0;
      models.script(session, (request, response) => ((calls += 1) === 1 ? refusal(dialect, 503) : good(dialect))(request, response));
      for (let turn = 0; turn < 2; turn += 1) {
        const response = await ask(session, stream, models.alone, { session_id: `retried-${wire}` });
        assert.equal(response.status, 200, await response.text());
      }
      assert.deepEqual(models.asked(session).map(({ body }) => body.messages.length), [1, 1, 3]);
    });

    const rejected = models.add(dialect, `${wire}-invalid`, does.json(400, { error: { message: "stop: too many texts", type: "invalid_request_error", param: "stop" } }));
    test(`a_request_that_the_provider_finds_wrong_is_a_400_and_asked_of_nobody_else_for_${wire}`, async () => {
      const response = await ask(rejected, stream, models.chained);
      await expectError(response, 400, { param: "stop" });
      assert.equal(models.asked(rejected).length, 1);
      await models.assertUncharged(response);
    });

    const uncounted = models.add(dialect, `${wire}-uncounted`, good(dialect, { usage: false }));
    test(`missing_usage_is_estimated_and_marked_for_${wire}`, async () => {
      const response = await ask(uncounted, stream, models.alone, stream ? { stream_options: { include_usage: true } } : {});
      const text = await response.text();
      assert.match(text, /"completion_tokens":[1-9]/);
      const receipt = await models.assertCharged(response, "estimated");
      assert.match(text, new RegExp(`"total_tokens":${receipt.charged_tokens}\\b`), "the client is told what it is charged");
    });
  });
});

describe("silence", { concurrency: 40 }, () => {
  forEachWire((dialect, stream, wire) => {
    const silent = (name, behaviour) => promise(dialect, stream, wire, name, { behaviour, status: 504, calls: ONCE });
    silent("silence", does.silence());
    silent("a_head_and_then_silence", headAndSilence(stream));
    if (stream) silent("signs_of_life_for_ever", idleFor(dialect, Infinity));

    const left = models.add(dialect, `${wire}-left`, does.silence());
    test(`a_provider_that_is_waited_for_no_longer_is_hung_up_on_for_${wire}`, async () => {
      let closed = false;
      models.script(left, async (_request, response) => {
        response.on("close", () => (closed = true));
        await new Promise((resolve) => response.on("close", resolve));
      });
      await expectError(await ask(left, stream), 504);
      await until(() => closed, "the connection is closed");
    });
  });

  for (const [name, dialect] of Object.entries(DIALECTS)) {
    const dripping = models.add(dialect, "dripping", async (request, response) => {
      const whole = bytes({ raw: JSON.stringify(dialect.body(request, { text: "漢字 👩‍👩‍👧‍👦" })) });
      response.writeHead(200, { "content-type": "application/json" });
      for (let at = 0; at < whole.length; at += 1) {
        response.write(whole.subarray(at, at + 1));
        await new Promise((resolve) => setTimeout(resolve, at % 60 === 0 ? PATIENCE_MS / 4 : 0));
      }
      response.end();
    });
    test(`an_answer_that_drips_byte_by_byte_is_exact_to_the_byte_for_${name}_answer`, async () => {
      const { text } = await expectAnswer(dripping, false);
      assert.equal(text, "漢字 👩‍👩‍👧‍👦");
    });

    const stuck = models.add(dialect, "stuck", async (request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(JSON.stringify(dialect.body(request)).slice(0, 40));
      await new Promise((resolve) => response.on("close", resolve));
    });
    test(`an_answer_that_stops_coming_is_a_504_without_charge_for_${name}_answer`, async () => {
      const response = await ask(stuck, false);
      await expectError(response, 504);
      await models.assertUncharged(response);
    });
  }
});

test("nothing_is_left_reserved_after_all_this", async () => {
  for (const caller of [models.alone, models.chained]) await models.assertNothingReserved(caller, LAST);
});

/** A head that promises an answer, and nothing after it. */
function headAndSilence(stream) {
  return async (_request, response) => {
    response.writeHead(200, { "content-type": stream ? "text/event-stream" : "application/json" });
    response.flushHeaders();
    await new Promise((resolve) => response.on("close", resolve));
  };
}

/** `count` events without anything of an answer in them. */
function idleFor(dialect, count) {
  return async (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const list = dialect.idling(request);
    for (let sent = 0; sent < count && !response.destroyed; sent += 1) {
      response.write(bytes(list[sent % list.length]));
      await new Promise((resolve) => setTimeout(resolve, PATIENCE_MS / 20));
    }
    response.end();
  };
}
