// Declares the tests for a provider fault before the first byte of a response.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { PROVIDER_SECRET } from "./behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "./client.mjs";
import { bytes, good } from "./faults.mjs";

/** Sends a chat request to one of `models`, by default as the tenant without a fallback. */
export function requestModel(models, model, stream, { key } = models.alone, fields = {}) {
  return postChat(models.stack, chatBody({ model, stream, ...fields }), { key });
}

/** Sends a chat request and asserts a complete response, streamed or not. */
export async function expectCompleteResponse(models, model, stream, caller = models.alone) {
  const fields = { model };
  if (stream) {
    const { response, text, done } = await completeStream(models.stack, fields, caller);
    assert.ok(done);
    return { response, text };
  }
  const { response, body } = await complete(models.stack, fields, caller);
  return { response, text: body.choices[0].message.content };
}

/**
 * Declares the tests of one fault before the first byte: the status, no charge, the number
 * of provider calls, the fallback model's response where there is one, and success as soon as
 * the provider recovers. `last` is the fallback model.
 */
export function declareFaultTests(models, last, dialect, stream, wire, name, { behaviour, status, calls, retryAfter, overrides }) {
  const id = `${wire}-${name}`;
  const alone = models.add(dialect, id, behaviour, overrides);
  const chained = models.add(dialect, `${id}-chained`, behaviour, overrides);
  const isReachable = overrides === undefined;

  test(`${name}_is_a_${status}_without_charge_for_${wire}`, async () => {
    const response = await requestModel(models, alone, stream);
    const retryAfterHeader = response.headers.get("retry-after");
    if (retryAfter) assert.match(retryAfterHeader ?? "", retryAfter);
    else assert.equal(retryAfterHeader, null);
    const error = await expectError(response, status);
    assert.ok(!error.message.includes(PROVIDER_SECRET), error.message);
    if (status === 429) assert.notEqual(error.code, "insufficient_quota", "the tenant's quota is not exhausted");
    if (isReachable) assert.equal(models.requestsTo(alone).length, calls);
    await models.assertUncharged(response);
    if (!isReachable) return;
    models.script(alone, good(dialect));
    await expectCompleteResponse(models, alone, stream);
  });

  test(`${name}_falls_back_to_the_next_model_for_${wire}`, async () => {
    const { response, text } = await expectCompleteResponse(models, chained, stream, models.chained);
    assert.equal(text, "Hello there.");
    assert.equal(response.headers.get("x-clawless-model"), last);
    assert.ok(models.requestsTo(chained).length <= 3);
    const receipt = await models.assertCharged(response, "provider");
    assert.equal(receipt.model, last);
  });
}

/** A stream of `count` events without content. */
export function idleFor(dialect, count) {
  return async (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const list = dialect.idleEvents(request);
    for (let sent = 0; sent < count && !response.destroyed; sent += 1) {
      response.write(bytes(list[sent % list.length]));
      await sleep(100);
    }
    response.end();
  };
}
