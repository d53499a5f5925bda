// Two concurrent tenants: neither sees data of the other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { completionOrStream } from "../harness/behaviours.mjs";
import { complete, completeStream } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack({ tenants: 2, gateways: 2 })));
after(() => stack.stop());

const TURNS = 4;
const SESSIONS = 8;

test("interleaved_responses_of_two_tenants_with_the_same_session_names_never_mix", async () => {
  stack.upstream.always(completionOrStream({ content: (request) => `received ${request.body.messages.at(-1).content} after ${request.body.messages.length - 1}`, delayMs: 2 }));
  const canary = (tenant, session, turn) => `canary-${tenant}-${session}-${turn}-end`;

  async function converse(tenant, session) {
    for (let turn = 0; turn < TURNS; turn += 1) {
      const fields = { messages: [{ role: "user", content: canary(tenant, session, turn) }] };
      const options = {
        key: stack.tenants[tenant].secret_key,
        url: stack.urls[(tenant + session + turn) % 2],
        headers: { "x-session-id": `shared-name-${session}` },
      };
      const expected = `received ${canary(tenant, session, turn)} after ${2 * turn}`;
      if ((session + turn) % 2 === 0) assert.equal((await completeStream(stack, fields, options)).text, expected);
      else assert.equal((await complete(stack, fields, options)).body.choices[0].message.content, expected);
    }
  }

  const conversations = [0, 1].flatMap((tenant) => Array.from({ length: SESSIONS }, (_, session) => converse(tenant, session)));
  await Promise.all(conversations);

  assert.equal(stack.upstream.requests.length, 2 * SESSIONS * TURNS);
  for (const { body, text } of stack.upstream.requests) {
    const [, tenant, session] = body.messages.at(-1).content.split("-");
    const seen = new Set(text.match(/canary-\d+-\d+-\d+-end/g).map((word) => word.split("-").slice(1, 3).join("-")));
    assert.deepEqual([...seen], [`${tenant}-${session}`], "a prompt contains the words of one session only");
  }
});
