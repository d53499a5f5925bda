// Faults 6 to 13: streams that break after the first byte, and streams that are unusual but valid.
// A broken stream never looks complete, and the produced tokens are charged. For every wire format.
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
/** The idle timeout, and the interval of keep-alive comments. */
const [IDLE_MS, KEEP_ALIVE_MS] = [4000, 400];
before(() => models.start({ fallback: FALLBACK, vars: { IDLE_TIMEOUT_MS: `${IDLE_MS}`, KEEP_ALIVE_MS: `${KEEP_ALIVE_MS}` } }));
after(() => models.stop());

const WITH_USAGE = { stream_options: { include_usage: true } };

/** Reads a whole stream. A fallback model is configured and must never be used. */
async function stream(model, fields = {}, caller = models.chained) {
  return completeStream(models.stack, { model, ...fields }, caller);
}

/** Asserts a broken stream: the text before the break, one error event, no `[DONE]`, no text of the provider's error. */
function assertBroken({ stream: text, chunks, data, done, text: content }, code) {
  assert.equal(done, false, `a broken stream must not look complete: ${text}`);
  assert.equal(content, PARTIAL);
  const failures = chunks.filter((chunk) => "error" in chunk);
  assert.equal(failures.length, 1, text);
  assertEnvelope(failures[0]);
  assert.equal(failures[0].error.code, code);
  assert.deepEqual(JSON.parse(data.at(-1)), failures[0], "nothing follows the error");
  assert.ok(chunks.every((chunk) => (chunk.choices ?? []).every((choice) => choice.finish_reason === null)), "no finish_reason");
  assert.ok(!text.includes(behaviours.PROVIDER_SECRET), text);
}

/** The error code of a fault. */
function codeOf(fault, dialect) {
  if (fault === "silence") return "upstream_timeout";
  return fault === "an_error_after_200" && dialect.kind === "anthropic" ? "upstream_overloaded" : "upstream_error";
}

for (const [wire, dialect] of Object.entries(DIALECTS)) {
  const add = (name, behaviour) => models.add(dialect, name, behaviour);

  describe(`a stream of ${wire} that breaks`, { concurrency: 16 }, () => {
    for (const [fault, make] of Object.entries(IN_A_STREAM)) {
      const model = add(fault, make(dialect));
      test(`by_${fault}_ends_with_an_error_event_and_is_charged_for_the_sent_text`, async () => {
        const broken = await stream(model, WITH_USAGE);
        assertBroken(broken, codeOf(fault, dialect));
        assert.equal(models.requestsTo(model).length, 1, "no retry after text was sent");
        const receipt = await models.assertCharged(broken.response, "estimated");
        assert.equal(receipt.model, model);
        assert.ok(receipt.tokens_out < 20, "only the sent text is charged");
        models.script(model, good(dialect));
        assert.ok((await stream(model)).done, "the next request works");
      });

      const stored = add(`${fault}-stored`, make(dialect));
      test(`by_${fault}_is_stored_up_to_the_break_and_marked`, async () => {
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
        assert.ok((await stream(stored, {}, { ...models.chained, headers })).done, "the session continues");
        const { messages } = models.requestsTo(stored).at(-1).body;
        assert.equal(messages.length, 3);
        assert.match(JSON.stringify(messages[1]), /"Hello"/, "the partial text is in the history");
      });
    }

    const silent = add("hung-up", IN_A_STREAM.silence(dialect));
    test("by_silence_is_disconnected", async () => {
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
      const calls = chunks.flatMap(({ choices }) => choices ?? []).flatMap(({ delta }) => delta.tool_calls ?? []);
      const length = calls.reduce((sum, call) => sum + call.function.arguments.length, 0);
      assert.ok(length > 0 && length <= 60 * PIECE_OF_CALL, `${length} bytes of one call`);
      assert.equal(chunks.at(-1).choices[0].finish_reason, "length");
      assert.ok(done, "it ends like a response that reached its limit");
    });
  });

  describe(`a stream of ${wire} that is unusual but complete`, { concurrency: 16 }, () => {
    const TEXT = ["naïve ", "漢字 ", "👩‍👩‍👧‍👦 ", "\u{10ffff}", "e\u0301\n\n", "\r\n", "\u2028", "end"];
    const whole = async (model) => {
      const response = await stream(model, WITH_USAGE);
      assert.ok(response.done, response.stream);
      assert.equal(response.chunks.at(-2).choices[0].finish_reason, "stop");
      assert.equal(response.chunks.at(-1).usage.total_tokens, behaviours.USAGE.total_tokens);
      await models.assertCharged(response.response, "provider");
      return response;
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
      test(`with_line_ends_of_${name}_is_read_the_same_way`, async () => assert.equal((await whole(model)).text, TEXT.join("")));
    }

    const trailing = add("talks-on", behaviours.events((request) => [
      ...dialect.opening(request, ["Hello"]), ...dialect.closing(request),
      dialect.piece(request, behaviours.PROVIDER_SECRET), dialect.malformed(), "[DONE]",
    ]));
    test("and_continues_after_its_end_is_cut_there", async () => {
      const { stream: text, text: content, data } = await whole(trailing);
      assert.equal(content, "Hello");
      assert.equal(data.at(-1), "[DONE]");
      assert.ok(!text.includes(behaviours.PROVIDER_SECRET));
    });

    if (dialect.reportsFinishReason !== false) {
      const abrupt = add("abrupt", behaviours.events((request) => [...dialect.opening(request, ["Hello"]), ...dialect.closing(request, { last: false })]));
      test("and_has_a_finish_reason_but_no_final_event_is_complete", async () => assert.equal((await whole(abrupt)).text, "Hello"));

      const reset = add("reset-after-its-end", behaviours.events((request) => [...dialect.opening(request, ["Hello"]), ...dialect.closing(request, { last: false })], {
        ending: async (response) => {
          await sleep(50);
          response.socket.resetAndDestroy();
        },
      }));
      test("and_is_reset_after_its_finish_reason_is_complete", async () => assert.equal((await whole(reset)).text, "Hello"));
    }

    const idling = add("idling", behaviours.events((request) => [
      ...dialect.idleEvents(request), ...dialect.opening(request, ["Hel"]), ...dialect.idleEvents(request), dialect.piece(request, "lo"), ...dialect.closing(request),
    ]));
    test("with_events_without_content_does_not_pass_them_on", async () => {
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
      assert.equal(chunks.at(-1).usage.total_tokens, charged, "the reported usage equals the charge");
    });

    const slow = add("slow", sendUnusually(dialect, [..."Hello"], async (response, all) => {
      for (let at = 0; at < all.length; at += Math.ceil(all.length / 5)) {
        response.write(all.subarray(at, at + Math.ceil(all.length / 5)));
        await sleep(IDLE_MS / 3);
      }
    }));
    test("and_is_slower_than_the_idle_timeout_is_kept_alive_by_comments", async () => {
      const { text, lines } = await whole(slow);
      assert.equal(text, "Hello");
      assert.ok(lines.length >= 3 && lines.every((line) => line.startsWith(":")), `${lines}`);
    });

    const inOnePiece = add("in-one-piece", (request, response) => behaviours.json(200, dialect.body(request))(request, response));
    test("and_is_sent_as_one_body_is_still_streamed", async () => assert.equal((await whole(inOnePiece)).text, "Hello there."));
  });
}

test("a_client_receives_the_text_before_the_break_as_it_arrives", async () => {
  const response = await postChat(models.stack, chatBody({ model: `openai-hung-up`, stream: true }), models.alone);
  const events = eventsAsTheyArrive(response);
  const seen = [];
  for (const startedAt = performance.now(); performance.now() - startedAt < IDLE_MS / 2 && !seen.join("").includes('"lo"'); ) seen.push((await events.next()).value);
  assert.match(seen.join(""), /"lo"/);
  for await (const rest of events) seen.push(rest);
  assert.match(seen.at(-1), /^data: \{"error":/);
});

test("a_client_that_resumes_a_slow_turn_gets_comments_while_it_waits", async () => {
  const { key } = models.alone;
  const [session, authorization] = ["slow-turn", `Bearer ${key}`];
  const response = await postChat(models.stack, chatBody({ model: "openai-slow", stream: true }), { key, headers: { "x-session-id": session } });
  const turn = `${models.stack.url}/v1/sessions/${session}/turns/${response.headers.get("x-request-id")}`;
  const again = fetch(turn, { headers: { authorization, accept: "text/event-stream" } });
  const [first, { text, done, lines }] = await Promise.all([response, again].map(async (answer) => readEvents(await (await answer).text())));
  assert.deepEqual([text, done], [first.text, true]);
  assert.ok(lines.length >= 1 && lines.every((line) => line.startsWith(":")), `${lines}`);
});

test("no_reservation_is_left_open", () => models.assertNothingReserved(models.chained, FALLBACK));

test("no_fallback_was_called_after_text_was_sent", () => {
  assert.equal(models.requestsTo(FALLBACK).length, 1, "only the previous test called it");
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
