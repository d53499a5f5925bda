// Faults 6 to 13: what breaks an answer after its first byte, and what is only odd.
// No answer ever looks complete when it is not, and what was produced is charged,
// for every wire.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { assertEnvelope, chatBody, completeStream, eventsAsTheyArrive, postChat, readEvents } from "../harness/client.mjs";
import { DIALECTS } from "../harness/dialects.mjs";
import { good, IN_A_STREAM, sendUnusually, PARTIAL } from "../harness/faults.mjs";
import { Models } from "../harness/models.mjs";
import { until } from "../harness/wait.mjs";

const models = new Models();
const FALLBACK = models.add(DIALECTS.openai, "fallback", good(DIALECTS.openai));
/** How long a pause may be, and how soon a client is told that we are still here. */
const [IDLE_MS, KEEP_ALIVE_MS] = [4000, 400];
before(() => models.start({ fallback: FALLBACK, vars: { IDLE_TIMEOUT_MS: `${IDLE_MS}`, KEEP_ALIVE_MS: `${KEEP_ALIVE_MS}` } }));
after(() => models.stop());

const WITH_USAGE = { stream_options: { include_usage: true } };

/** Asks for a stream and reads all of it. A fallback stands ready, and must never be used. */
async function stream(model, fields = {}, caller = models.chained) {
  return completeStream(models.stack, { model, ...fields }, caller);
}

/** A broken stream: the text up to the break, one error event, no `[DONE]`, nothing of the provider's own words. */
function assertBroken({ stream: text, chunks, data, done, text: said }, code) {
  assert.equal(done, false, `a broken stream must not look complete: ${text}`);
  assert.equal(said, PARTIAL);
  const failures = chunks.filter((chunk) => "error" in chunk);
  assert.equal(failures.length, 1, text);
  assertEnvelope(failures[0]);
  assert.equal(failures[0].error.code, code);
  assert.deepEqual(JSON.parse(data.at(-1)), failures[0], "nothing follows the error");
  assert.ok(chunks.every((chunk) => (chunk.choices ?? []).every((choice) => choice.finish_reason === null)), "no finish_reason");
  assert.ok(!text.includes(behaviours.PROVIDER_SECRET), text);
}

/** The error that a break is told as. */
function codeOf(fault, dialect) {
  if (fault === "silence") return "upstream_timeout";
  return fault === "an_error_after_200" && dialect.kind === "anthropic" ? "upstream_overloaded" : "upstream_error";
}

for (const [wire, dialect] of Object.entries(DIALECTS)) {
  const add = (name, behaviour) => models.add(dialect, name, behaviour);

  describe(`a stream of ${wire} that breaks`, { concurrency: 16 }, () => {
    for (const [fault, make] of Object.entries(IN_A_STREAM)) {
      const model = add(fault, make(dialect));
      test(`by_${fault}_ends_with_an_error_event_and_is_charged_what_it_said`, async () => {
        const broken = await stream(model, WITH_USAGE);
        assertBroken(broken, codeOf(fault, dialect));
        assert.equal(models.requestsTo(model).length, 1, "nothing is retried once text has gone out");
        const receipt = await models.assertCharged(broken.response, "estimated");
        assert.equal(receipt.model, model);
        assert.ok(receipt.tokens_out < 20, "no more than it said");
        models.script(model, good(dialect));
        assert.ok((await stream(model)).done, "the next request works");
      });

      const stored = add(`${fault}-stored`, make(dialect));
      test(`by_${fault}_is_stored_as_far_as_it_came_and_marked`, async () => {
        const headers = { "x-session-id": `${wire}-${fault}` };
        assertBroken(await stream(stored, {}, { ...models.chained, headers }), codeOf(fault, dialect));
        const [turn] = await models.stack.rows(
          "SELECT turns.* FROM turns JOIN sessions ON sessions.tenant_id = turns.tenant_id AND sessions.id = turns.session_id WHERE sessions.tenant_id = ?1 AND turns.model = ?2",
          models.chained.tenant,
          stored,
        );
        assert.equal(turn.status, "incomplete");
        assert.equal(turn.incomplete_reason, codeOf(fault, dialect));
        assert.equal(turn.finish_reason, null);
        assert.equal(turn.provenance, "estimated");
        models.script(stored, good(dialect));
        assert.ok((await stream(stored, {}, { ...models.chained, headers })).done, "the session goes on");
        const { messages } = models.requestsTo(stored).at(-1).body;
        assert.equal(messages.length, 3);
        assert.match(JSON.stringify(messages[1]), /"Hello"/, "with what was said");
      });
    }

    const silent = add("hung-up", IN_A_STREAM.silence(dialect));
    test("by_silence_is_hung_up_on", async () => {
      let closed = false;
      models.script(silent, behaviours.events((request) => dialect.opening(request, ["Hel", "lo"]), {
        ending: (response) => new Promise((resolve) => response.on("close", () => resolve((closed = true)))),
      }));
      assertBroken(await stream(silent), "upstream_timeout");
      await until(() => closed, "the connection is closed");
    });

    const huge = add("huge-call", hugeCall(dialect));
    if (dialect.splitsCalls !== false) test("by_a_call_that_never_ends_is_cut_at_its_limit", async () => {
      const { chunks, done } = await stream(huge, { max_tokens: 50 });
      const told = chunks.flatMap(({ choices }) => choices ?? []).flatMap(({ delta }) => delta.tool_calls ?? []);
      const length = told.reduce((sum, call) => sum + call.function.arguments.length, 0);
      assert.ok(length > 0 && length <= 60 * PIECE_OF_CALL, `${length} bytes of one call`);
      assert.equal(chunks.at(-1).choices[0].finish_reason, "length");
      assert.ok(done, "it ends as an answer does that has reached its limit");
    });
  });

  describe(`a stream of ${wire} that is odd but whole`, { concurrency: 16 }, () => {
    const TEXT = ["naïve ", "漢字 ", "👩‍👩‍👧‍👦 ", "\u{10ffff}", "e\u0301\n\n", "\r\n", "\u2028", "end"];
    const whole = async (model) => {
      const answer = await stream(model, WITH_USAGE);
      assert.ok(answer.done, answer.stream);
      assert.equal(answer.chunks.at(-2).choices[0].finish_reason, "stop");
      assert.equal(answer.chunks.at(-1).usage.total_tokens, behaviours.USAGE.total_tokens);
      await models.assertCharged(answer.response, "provider");
      return answer;
    };

    const inPieces = (size) => async (response, all) => {
      response.socket.setNoDelay(true);
      for (let at = 0; at < all.length; at += size) {
        response.write(all.subarray(at, at + size));
        await new Promise(setImmediate);
      }
    };
    for (const size of [1, 2, 3, 7]) {
      const model = add(`pieces-of-${size}`, sendUnusually(dialect, TEXT, inPieces(size)));
      test(`in_pieces_of_${size}_bytes_is_exact_to_the_byte`, async () => assert.equal((await whole(model)).text, TEXT.join("")));
    }

    for (const [name, end] of Object.entries({ crlf: "\r\n", cr: "\r" })) {
      const model = add(`ends-${name}`, sendUnusually(dialect, TEXT, (response, all) => inPieces(5)(response, Buffer.from(all.toString().replaceAll("\n", end)))));
      test(`with_line_ends_of_${name}_is_read_alike`, async () => assert.equal((await whole(model)).text, TEXT.join("")));
    }

    const talkative = add("talks-on", behaviours.events((request) => [
      ...dialect.opening(request, ["Hello"]), ...dialect.closing(request),
      dialect.piece(request, behaviours.PROVIDER_SECRET), dialect.malformed(), "[DONE]",
    ]));
    test("and_goes_on_after_its_end_is_cut_there", async () => {
      const { stream: text, text: said, data } = await whole(talkative);
      assert.equal(said, "Hello");
      assert.equal(data.at(-1), "[DONE]");
      assert.ok(!text.includes(behaviours.PROVIDER_SECRET));
    });

    if (dialect.reportsFinishReason !== false) {
      const abrupt = add("abrupt", behaviours.events((request) => [...dialect.opening(request, ["Hello"]), ...dialect.closing(request, { last: false })]));
      test("and_says_why_it_ended_but_not_that_it_did_is_whole", async () => assert.equal((await whole(abrupt)).text, "Hello"));

      const reset = add("reset-after-its-end", behaviours.events((request) => [...dialect.opening(request, ["Hello"]), ...dialect.closing(request, { last: false })], {
        ending: async (response) => {
          await sleep(50);
          response.socket.resetAndDestroy();
        },
      }));
      test("and_is_reset_after_it_said_why_it_ended_is_whole", async () => assert.equal((await whole(reset)).text, "Hello"));
    }

    const idling = add("idling", behaviours.events((request) => [
      ...dialect.idleEvents(request), ...dialect.opening(request, ["Hel"]), ...dialect.idleEvents(request), dialect.piece(request, "lo"), ...dialect.closing(request),
    ]));
    test("with_events_that_say_nothing_in_between_passes_none_of_them_on", async () => {
      const { text, chunks, lines } = await whole(idling);
      assert.equal(text, "Hello");
      assert.ok(chunks.slice(0, -1).every((chunk) => chunk.choices.length === 1));
      assert.deepEqual(lines, []);
    });

    const uncounted = add("uncounted", good(dialect, { usage: false }));
    test("without_usage_is_estimated_and_marked", async () => {
      const { chunks, response, done } = await stream(uncounted, WITH_USAGE);
      assert.ok(done);
      const { charged_tokens: charged } = await models.assertCharged(response, "estimated");
      assert.equal(chunks.at(-1).usage.total_tokens, charged, "the client is told what it is charged");
    });

    const slow = add("slow", sendUnusually(dialect, ["Hello"], async (response, all) => {
      for (let at = 0; at < all.length; at += Math.ceil(all.length / 5)) {
        response.write(all.subarray(at, at + Math.ceil(all.length / 5)));
        await sleep(IDLE_MS / 3);
      }
    }));
    test("and_drips_for_longer_than_any_pause_may_be_is_kept_alive_by_comments", async () => {
      const { text, lines } = await whole(slow);
      assert.equal(text, "Hello");
      assert.ok(lines.length >= 3 && lines.every((line) => line.startsWith(":")), `${lines}`);
    });

    const inOnePiece = add("in-one-piece", (request, response) => behaviours.json(200, dialect.body(request))(request, response));
    test("and_comes_in_one_piece_is_streamed_all_the_same", async () => assert.equal((await whole(inOnePiece)).text, "Hello there."));
  });
}

test("a_client_sees_the_text_before_the_break_as_it_comes", async () => {
  const response = await postChat(models.stack, chatBody({ model: `openai-hung-up`, stream: true }), models.alone);
  const events = eventsAsTheyArrive(response);
  const seen = [];
  for (const began = performance.now(); performance.now() - began < IDLE_MS / 2 && !seen.join("").includes('"lo"'); ) seen.push((await events.next()).value);
  assert.match(seen.join(""), /"lo"/);
  for await (const rest of events) seen.push(rest);
  assert.match(seen.at(-1), /^data: \{"error":/);
});

test("a_client_that_comes_back_for_a_slow_turn_gets_comments_while_it_waits", async () => {
  const { key } = models.alone;
  const [session, authorization] = ["slow-turn", `Bearer ${key}`];
  const response = await postChat(models.stack, chatBody({ model: "openai-slow", stream: true }), { key, headers: { "x-session-id": session } });
  const turn = `${models.stack.url}/v1/sessions/${session}/turns/${response.headers.get("x-request-id")}`;
  const again = fetch(turn, { headers: { authorization, accept: "text/event-stream" } });
  const [first, { text, done, lines }] = await Promise.all([response, again].map(async (answer) => readEvents(await (await answer).text())));
  assert.deepEqual([text, done], [first.text, true]);
  assert.ok(lines.length >= 1 && lines.every((line) => line.startsWith(":")), `${lines}`);
});

test("nothing_is_left_reserved_after_all_this", () => models.assertNothingReserved(models.chained, FALLBACK));

test("no_fallback_was_asked_once_text_had_gone_out", () => {
  assert.equal(models.requestsTo(FALLBACK).length, 1, "only by the test before this one");
});

const PIECE_OF_CALL = 64 * 1024;

/** A call with five megabytes of arguments. */
function hugeCall(dialect) {
  return behaviours.events((request) => [
    ...dialect.calls(request, [{ id: "call_1", name: "get_weather", input: {} }]).slice(0, 2),
    ...Array.from({ length: 80 }, (_, index) => dialect.argumentsPiece(request, index === 0 ? `{"a":"${"x".repeat(PIECE_OF_CALL)}` : "x".repeat(PIECE_OF_CALL))),
    dialect.argumentsPiece(request, '"}'),
    ...dialect.closing(request, { finish: "tool_calls" }),
  ]);
}
