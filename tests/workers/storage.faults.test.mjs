// Faults 15 to 18: the database and the cache fail before or after an operation.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { LOST, OVERLOADED, plan, faultState } from "../harness/storage-faults.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack({ build: BUILD_WITH_FAULTS, gateways: 2, tenants: 1 })));
after(() => stack.stop());
beforeEach(async () => {
  stack.upstream.reset();
  for (const url of stack.urls) await plan(url, []);
});

let created = 0;
const newSession = () => `session-${(created += 1)}`;
const inSession = (session, options = {}) => ({ ...options, headers: { "x-session-id": session, ...options.headers } });
const user = (content) => ({ role: "user", content });
const turns = (session) => stack.rows("SELECT * FROM turns WHERE session_id = ? ORDER BY seq", session);
const commit = (fault) => ({ call: "batch", about: "INSERT INTO turns", ...fault });
const tenant = () => stack.tenants[0].tenant_id;

/** Asserts that every turn has exactly one receipt. */
async function assertSettled(session, count) {
  await until(async () => (await stack.rows("SELECT 1 FROM receipts WHERE session_id = ?", session)).length === count, "a receipt for every turn");
  const doubled = await stack.rows("SELECT request_id FROM receipts GROUP BY request_id HAVING count(*) > 1");
  assert.deepEqual(doubled, []);
}

test("the_bundle_with_faults_is_marked_as_test_only", async () => {
  assert.equal((await plan(stack.url, [])).mark, ["clawless", "test-only"].join(":"));
});

describe("fault 15: the connection to D1 is lost before the commit", () => {
  test("up_to_four_times_and_the_fifth_try_stores_the_turn_before_the_end_is_sent", async () => {
    const session = newSession();
    await plan(stack.url, [commit({ when: "before", error: LOST, times: 4 })]);
    const { done } = await completeStream(stack, { messages: [user("hold on")] }, inSession(session));
    assert.equal(done, true);
    assert.equal((await turns(session)).length, 1);
    assert.equal((await faultState(stack.url)).calls.batch, 5);
    await assertSettled(session, 1);
  });

  test("five_times_and_the_turn_is_parked_in_the_ledger_and_the_next_turn_waits_for_it", async () => {
    const session = newSession();
    await complete(stack, { messages: [user("first")] }, inSession(session));
    await plan(stack.url, [commit({ when: "before", error: LOST, times: 5 })]);
    stack.upstream.next(behaviours.stream({ pieces: ["parked"] }));
    const { done } = await completeStream(stack, { messages: [user("second")] }, inSession(session));
    assert.equal(done, true, "the stream completes for the client");
    assert.equal((await faultState(stack.url)).calls.batch, 5, "five tries and no more");
    // Through the other gateway, whose turn waits for the lane until D1 has the parked turn.
    await complete(stack, { messages: [user("third")] }, inSession(session, { url: stack.urls[1] }));
    const received = stack.upstream.lastBody.messages.map(({ content }) => content);
    assert.deepEqual(received.filter((content) => content !== "Hello there."), ["first", "second", "parked", "third"]);
    assert.deepEqual((await turns(session)).map(({ seq }) => seq), [1, 2, 3]);
    await assertSettled(session, 3);
  });

  test("with_an_idempotency_key_and_the_parked_turn_serves_the_next_request", async () => {
    const session = newSession();
    const options = inSession(session, { headers: { "idempotency-key": session } });
    await plan(stack.url, [commit({ when: "before", error: LOST, times: 5 })]);
    const first = await complete(stack, {}, options);
    const second = await complete(stack, {}, { ...options, url: stack.urls[1] });
    assert.equal(second.response.headers.get("idempotent-replayed"), "true");
    assert.deepEqual(second.body, first.body);
    assert.equal(stack.upstream.requests.length, 1);
    assert.equal((await turns(session)).length, 1);
  });
});

describe("fault 16: D1 fails after the commit", () => {
  for (const times of [1, 5]) {
    test(`${times}_times_and_there_is_exactly_one_row`, async () => {
      const session = newSession();
      await plan(stack.url, [commit({ when: "after", error: LOST, times })]);
      const { body } = await complete(stack, { messages: [user("once")] }, inSession(session));
      await complete(stack, { messages: [user("twice")] }, inSession(session, { url: stack.urls[1] }));
      const stored = await turns(session);
      assert.equal(stored.length, 2);
      assert.equal(stored[0].request_id, body.id.replace("chatcmpl-", "req_"));
      assert.deepEqual(stack.upstream.lastBody.messages.map(({ content }) => content), ["once", "Hello there.", "twice"]);
      await assertSettled(session, 2);
    });
  }
});

describe("fault 17: D1 is overloaded", () => {
  test("before_the_call_and_the_client_gets_a_retry_after_without_retries", async () => {
    const session = newSession();
    await complete(stack, { messages: [user("first")] }, inSession(session));
    // Neither the database nor the cache can be read.
    await plan(stack.url, ["query", "get"].map((call) => ({ call, when: "before", error: OVERLOADED, times: 100 })));
    stack.upstream.reset();
    const response = await postChat(stack, chatBody({ messages: [user("second")] }), inSession(session));
    assert.ok(Number(response.headers.get("retry-after")) >= 1);
    await expectError(response, 503, { code: "service_unavailable" });
    assert.equal(stack.upstream.requests.length, 0);
    assert.equal((await faultState(stack.url)).calls.query, 1, "no retries");
    await plan(stack.url, []);
    await complete(stack, { messages: [user("third")] }, inSession(session));
    await until(async () => (await stack.rows("SELECT 1 FROM receipts WHERE session_id = ? AND charged_messages = 1", session)).length === 2, "the rejected call is not charged");
  });

  test("after_text_was_streamed_and_the_turn_is_parked_in_the_ledger_without_a_retry", async () => {
    const session = newSession();
    await plan(stack.url, [commit({ when: "before", error: OVERLOADED, times: 100 })]);
    const { done } = await completeStream(stack, {}, inSession(session));
    assert.equal(done, true);
    assert.equal((await faultState(stack.url)).calls.batch, 1, "no retries");
    await until(async () => (await turns(session)).length === 1, "the ledger stores the turn");
    await assertSettled(session, 1);
  });
});

describe("fault 18: KV", () => {
  for (const [what, faults] of [
    ["is_down", ["get", "put", "delete"].map((call) => ({ call, when: "before", error: "KV GET failed: 500", times: 100 }))],
    ["responds_429", [{ call: "get", when: "before", error: "KV GET failed: 429 Too Many Requests", times: 100 }, { call: "put", when: "after", error: "KV PUT failed: 429 Too Many Requests", times: 100 }]],
    ["has_cached_an_absence", [{ call: "get", when: "absent", times: 100 }]],
  ]) {
    test(`${what}_and_the_session_continues_from_D1`, async () => {
      const session = newSession();
      for (const url of stack.urls) await plan(url, faults);
      for (const [turn, text] of ["one", "two", "three"].entries()) await complete(stack, { messages: [user(text)] }, inSession(session, { url: stack.urls[turn % 2] }));
      assert.deepEqual(stack.upstream.lastBody.messages.map(({ content }) => content), ["one", "Hello there.", "two", "Hello there.", "three"]);
      assert.equal((await turns(session)).length, 3);
      await assertSettled(session, 3);
    });
  }

  test("is_down_and_a_revoked_key_is_still_rejected", async () => {
    const { key, keyId } = await stack.addKey(tenant());
    for (const url of stack.urls) await plan(url, [{ call: "get", when: "before", error: "KV GET failed: 500", times: 100 }]);
    await complete(stack, {}, { key });
    await stack.callLedger(tenant(), { revoke: { key_id: keyId } });
    for (const url of stack.urls) await expectError(await postChat(stack, chatBody(), { key, url }), 401);
  });
});
