// Fault 2: a provider that recovers within two retries is not noticed. Retries
// happen before the first byte only; after it, provider.faults.test.mjs holds.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import * as does from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

for (const [name, fault] of Object.entries({
  a_500: does.failure(500),
  a_502: does.failure(502),
  a_503: does.failure(503),
  a_504: does.failure(504),
  a_reset: does.resetBeforeAnswer(),
})) {
  test(`an_answer_after_${name}_twice_comes_at_the_third_call`, async () => {
    stack.upstream.next(fault, fault);
    const { body } = await complete(stack, {});
    assert.equal(body.choices[0].message.content, "Hello there.");
    assert.equal(stack.upstream.requests.length, 3);
  });

  test(`a_stream_after_${name}_twice_comes_at_the_third_call`, async () => {
    stack.upstream.next(fault, fault);
    const { text, done } = await completeStream(stack, {});
    assert.equal(text, "Hello there.");
    assert.ok(done);
    assert.equal(stack.upstream.requests.length, 3);
  });
}

test("a_provider_that_stays_down_is_called_three_times_and_no_more", async () => {
  stack.upstream.always(does.failure(503));
  const response = await postChat(stack, chatBody());
  await expectError(response, response.status);
  assert.ok([502, 503].includes(response.status));
  assert.equal(stack.upstream.requests.length, 3);
});

test("a_turn_that_needed_a_retry_is_stored_once", async () => {
  const headers = { "x-session-id": "retried" };
  stack.upstream.next(does.failure(503));
  await complete(stack, {}, { headers });
  await complete(stack, {}, { headers });
  assert.equal(stack.upstream.lastBody.messages.length, 3);
});
