// A database that is set back under a running gateway: versions and heads begin a new epoch, and neither the ledger nor the
// cache brings back what came after.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { complete } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

/** `LedgerConfig::EPOCH` of clawless-core. */
const EPOCH = 2 ** 20;

let stack;
before(async () => (stack = await startStack({ gateways: 2 })));
after(() => stack.stop());

const say = (content, gateway = 0) => complete(stack, { messages: [{ role: "user", content }] }, { url: stack.urls[gateway], headers: { "x-session-id": "travel" } });

/** The user's messages that the model has just seen. */
const seen = () => stack.upstream.lastBody.messages.filter(({ role }) => role === "user").map(({ content }) => content);

test("after_a_restore_a_session_continues_from_the_database_and_its_usage_remains", async () => {
  const [{ tenant_id: tenant }] = stack.tenants;
  await say("first");
  const [{ head }] = await stack.rows("SELECT head FROM sessions WHERE id = 'travel'");
  await say("second");
  await say("and more");
  assert.deepEqual(seen(), ["first", "second", "and more"]);

  await stack.rows("DELETE FROM turns WHERE session_id = 'travel' AND seq > ?1", head);
  // The statements of docs/runbook.md.
  for (const target of ["tenants SET version", "api_keys SET version", "sessions SET head"]) await stack.rows(`UPDATE ${target} = unixepoch() * ${EPOCH}`);
  const [{ head: epoch }] = await stack.rows("SELECT head FROM sessions WHERE id = 'travel'");
  assert.ok(Number.isSafeInteger(epoch) && epoch > head);
  // A change without a change notifies the ledger.
  assert.equal((await stack.admin("PATCH", `/tenants/${tenant}`, {})).status, 200);

  // Both gateways have cached the records of the tenant and the key.
  await say("third", 1);
  assert.deepEqual(seen(), ["first", "third"]);
  await say("fourth");
  assert.deepEqual(seen(), ["first", "third", "fourth"]);
  const turns = await stack.rows("SELECT seq FROM turns WHERE session_id = 'travel' ORDER BY seq");
  assert.deepEqual(turns.map(({ seq }) => seq), [head, epoch + 1, epoch + 2]);
  // The calls before and after are booked once each.
  await stack.receipts(tenant, 5);
});
