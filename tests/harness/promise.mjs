// What a client is promised about a fault before the first byte of an answer, as tests.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { PROVIDER_SECRET } from "./behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "./client.mjs";
import { bytes, good } from "./faults.mjs";

/** Asks one of `models`, as the tenant without a fallback unless told otherwise. */
export function ask(models, model, stream, { key } = models.alone, fields = {}) {
  return postChat(models.stack, chatBody({ model, stream, ...fields }), { key });
}

/** An answer that is whole, whichever way it was asked for. */
export async function expectCompleteAnswer(models, model, stream, caller = models.alone) {
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
 * Declares the promise about one fault before the first byte: its status, no
 * charge, this many calls, the next model's answer where there is one, and a good
 * answer as soon as the provider is well. `last` is the model that others fall back on.
 */
export function promise(models, last, dialect, stream, wire, name, { behaviour, status, calls, retryAfter, overrides }) {
  const id = `${wire}-${name}`;
  const alone = models.add(dialect, id, behaviour, overrides);
  const chained = models.add(dialect, `${id}-chained`, behaviour, overrides);
  const reaches = overrides === undefined;

  test(`${name}_is_a_${status}_without_charge_for_${wire}`, async () => {
    const response = await ask(models, alone, stream);
    const waits = response.headers.get("retry-after");
    if (retryAfter) assert.match(waits ?? "", retryAfter);
    else assert.equal(waits, null);
    const error = await expectError(response, status);
    assert.ok(!error.message.includes(PROVIDER_SECRET), error.message);
    if (status === 429) assert.notEqual(error.code, "insufficient_quota", "it is not the tenant's quota that is used up");
    if (reaches) assert.equal(models.requestsTo(alone).length, calls);
    await models.assertUncharged(response);
    if (!reaches) return;
    models.script(alone, good(dialect));
    await expectCompleteAnswer(models, alone, stream);
  });

  test(`${name}_is_answered_by_the_next_model_for_${wire}`, async () => {
    const { response, text } = await expectCompleteAnswer(models, chained, stream, models.chained);
    assert.equal(text, "Hello there.");
    assert.equal(response.headers.get("x-clawless-model"), last);
    assert.ok(models.requestsTo(chained).length <= 3);
    const receipt = await models.assertCharged(response, "provider");
    assert.equal(receipt.model, last);
  });
}

/** A stream of `count` events without anything of an answer in them. */
export function idleFor(dialect, count) {
  return async (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const list = dialect.idling(request);
    for (let sent = 0; sent < count && !response.destroyed; sent += 1) {
      response.write(bytes(list[sent % list.length]));
      await sleep(100);
    }
    response.end();
  };
}
