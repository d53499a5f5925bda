// Faults 1–14 as far as one provider goes: what a caller sees when the model's
// server misbehaves. No answer ever looks complete when it is not.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as does from "../harness/behaviours.mjs";
import { assertEnvelope, chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** A broken stream: the text up to the break, one error event, no `[DONE]`, nothing of the provider's own words. */
function assertBroken({ stream, chunks, data, done, text }, expectedText) {
  assert.equal(done, false, `a broken stream must not look complete: ${stream}`);
  assert.equal(text, expectedText);
  const failures = chunks.filter((chunk) => "error" in chunk);
  assert.equal(failures.length, 1, stream);
  assertEnvelope(failures[0]);
  assert.deepEqual(JSON.parse(data.at(-1)), failures[0], "nothing follows the error");
  assert.ok(chunks.every((chunk) => (chunk.choices ?? []).every((choice) => choice.finish_reason === null)), "no finish_reason");
  assert.ok(!stream.includes(does.PROVIDER_SECRET), stream);
}

describe("before the first byte", () => {
  for (const stream of [false, true]) {
    const kind = stream ? "a_stream" : "an_answer";
    const ask = () => postChat(stack, chatBody({ stream }));

    test(`a_429_of_the_provider_is_a_429_with_its_retry_after_for_${kind}`, async () => {
      stack.upstream.always(does.failure(429, { "retry-after": "7" }));
      const response = await ask();
      assert.equal(response.headers.get("retry-after"), "7");
      const error = await expectError(response, 429);
      assert.notEqual(error.code, "insufficient_quota", "it is not the tenant's quota that is used up");
    });

    test(`a_529_of_the_provider_is_a_503_with_retry_after_for_${kind}`, async () => {
      stack.upstream.always(does.failure(529));
      const response = await ask();
      assert.match(response.headers.get("retry-after") ?? "", /^\d+$/);
      await expectError(response, 503);
    });

    test(`an_answer_of_500_502_503_or_504_is_told_in_our_own_words_for_${kind}`, async () => {
      for (const status of [500, 502, 503, 504]) {
        stack.upstream.reset();
        stack.upstream.always(does.failure(status));
        const response = await ask();
        assert.ok([502, 503, 504].includes(response.status), `${status} became ${response.status}`);
        const error = await expectError(response, response.status);
        assert.ok(!error.message.includes(does.PROVIDER_SECRET));
        const calls = stack.upstream.requests.length;
        assert.ok(calls >= 1 && calls <= 3, `at most two retries, not ${calls - 1}`);
      }
    });

    test(`a_web_page_with_status_200_is_a_502_for_${kind}`, async () => {
      stack.upstream.always(does.htmlWith200());
      const error = await expectError(await ask(), 502);
      assert.ok(!error.message.includes(does.PROVIDER_SECRET));
    });

    test(`an_error_object_with_status_200_is_a_502_for_${kind}`, async () => {
      stack.upstream.always(does.json(200, { error: { message: does.PROVIDER_SECRET, type: "x", code: null } }));
      const error = await expectError(await ask(), 502);
      assert.ok(!error.message.includes(does.PROVIDER_SECRET));
    });

    test(`a_reset_before_the_answer_is_a_502_for_${kind}`, async () => {
      stack.upstream.always(does.resetBeforeAnswer());
      await expectError(await ask(), 502);
    });

    test(`a_rejected_request_of_ours_is_not_retried_and_not_told_in_the_providers_words_for_${kind}`, async () => {
      for (const status of [401, 403]) {
        stack.upstream.reset();
        stack.upstream.always(does.failure(status));
        const error = await expectError(await ask(), 502);
        assert.ok(!error.message.includes(does.PROVIDER_SECRET));
        assert.equal(stack.upstream.requests.length, 1);
      }
    });
  }

  test("a_provider_that_is_not_there_is_a_502", async () => {
    const gone = await startStack({ vars: { PROVIDERS: JSON.stringify([stack.upstream.provider({ base_url: "http://127.0.0.1:1/v1" })]) } });
    try {
      await expectError(await postChat(gone, chatBody()), 502);
      await expectError(await postChat(gone, chatBody({ stream: true })), 502);
    } finally {
      await gone.stop();
    }
  });

  test("choices_that_are_empty_or_null_are_never_passed_on_as_an_answer", async () => {
    for (const choices of [[], null]) {
      stack.upstream.always(does.json(200, { id: "x", object: "chat.completion", created: 1, model: "m", choices }));
      await expectError(await postChat(stack, chatBody()), 502);
    }
  });
});

describe("in the middle of a stream", () => {
  for (const [name, behaviour] of Object.entries({
    a_reset: does.resetMidBody(),
    a_cut_connection: does.cutMidBody(),
    a_clean_end_without_finish_reason: does.endWithoutFinish(),
    DONE_without_finish_reason: does.events((request) => [...does.openingEvents(request, ["Hel", "lo"]), "[DONE]"]),
    a_malformed_event: does.malformedEvent(),
    an_error_object: does.errorAfter200(),
  })) {
    test(`${name}_surfaces_as_an_error_event_without_DONE`, async () => {
      stack.upstream.next(behaviour);
      assertBroken(await completeStream(stack, {}), "Hello");
      assert.equal(stack.upstream.requests.length, 1, "nothing is retried once text has gone out");
      await complete(stack, {});
    });
  }

  test("a_line_of_five_megabytes_is_refused_with_a_bounded_buffer", async () => {
    stack.upstream.next(does.hugeLine());
    assertBroken(await completeStream(stack, {}), "Hi");
    await complete(stack, {});
  });

  test("a_whole_answer_that_is_cut_is_a_502", async () => {
    stack.upstream.always(async (_request, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('{"id":"x","choices":[{"message":{"content":"Hel');
      setTimeout(() => response.socket.resetAndDestroy(), 50);
    });
    await expectError(await postChat(stack, chatBody()), 502);
  });
});

describe("a stream that is odd but whole", () => {
  const TEXT = ["naïve ", "漢字 ", "👩‍👩‍👧‍👦 ", "\u{10ffff}", "e\u0301\n\n", "\r\n", "end"];

  test("one_byte_at_a_time_is_exact_to_the_byte", async () => {
    stack.upstream.next(does.oneByteAtATime({ pieces: TEXT }));
    const { text, done } = await completeStream(stack, {});
    assert.equal(text, TEXT.join(""));
    assert.ok(done);
  });

  test("line_ends_of_every_kind_are_read", async () => {
    for (const end of ["\n", "\r\n", "\r"]) {
      stack.upstream.next(does.events((request) =>
        [...does.openingEvents(request, ["a", "b"]), does.chunk(request, {}, "stop"), "[DONE]"].map((event) => ({
          raw: `data: ${typeof event === "string" ? event : JSON.stringify(event)}${end}${end}`,
        }))));
      const { text, done } = await completeStream(stack, {});
      assert.equal(text, "ab", JSON.stringify(end));
      assert.ok(done);
    }
  });

  test("data_after_DONE_is_dropped", async () => {
    stack.upstream.next(does.dataAfterDone());
    const { stream, text, data } = await completeStream(stack, {});
    assert.equal(text, "Hello");
    assert.equal(data.at(-1), "[DONE]");
    assert.ok(!stream.includes(does.PROVIDER_SECRET));
  });

  test("a_finish_without_DONE_is_whole", async () => {
    stack.upstream.next(does.events((request) => [...does.openingEvents(request, ["Hello"]), does.chunk(request, {}, "stop")]));
    const { text, done } = await completeStream(stack, {});
    assert.equal(text, "Hello");
    assert.ok(done);
  });

  test("empty_choices_in_the_middle_are_no_crash_and_not_passed_on", async () => {
    stack.upstream.next(does.events((request) => [
      { ...does.chunk(request, {}), choices: [] },
      ...does.openingEvents(request, ["Hello"]),
      { ...does.chunk(request, {}), choices: [] },
      { ...does.chunk(request, {}), choices: null },
      does.chunk(request, {}, "stop"),
      "[DONE]",
    ]));
    const { text, chunks, done } = await completeStream(stack, {});
    assert.equal(text, "Hello");
    assert.ok(chunks.every((one) => Array.isArray(one.choices) && one.choices.length === 1));
    assert.ok(done);
  });

  test("missing_usage_is_estimated", async () => {
    stack.upstream.next(does.stream({ usage: null }), does.answer({ usage: null }));
    const { chunks } = await completeStream(stack, { stream_options: { include_usage: true } });
    const { body } = await complete(stack, {});
    for (const usage of [chunks.at(-1).usage, body.usage]) {
      assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0, JSON.stringify(usage));
      assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
    }
  });
});
