// Fault 38: the session of a visitor is opened while the database or the cache fails, or lacks the tables of the widget.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { expectError } from "../harness/client.mjs";
import { LOST, OVERLOADED, plan } from "../harness/storage-faults.mjs";
import { startStack } from "../harness/stack.mjs";
import { SITE, createSite, openSession, postMessage, postSession } from "../harness/widget.mjs";
import { until } from "../harness/wait.mjs";

/** Texts of a database, its driver, a stack trace or our source code. */
const INNER = /SQL|D1_|no such|table|column|_away|constraint|prepare|\.rs\b|\.js\b|wasm|    at |panick/i;

let stack;
let site;
before(async () => {
  stack = await startStack({ build: BUILD_WITH_FAULTS });
  site = await createSite(stack, { settings: { title: "Acme" } });
});
after(() => stack.stop());
beforeEach(() => plan(stack.url, []));

/** Asserts an error that the page may read and that has no inner details. */
async function assertRefused(response, status, code) {
  assert.equal(response.headers.get("access-control-allow-origin"), SITE, "the page can read it");
  const error = await expectError(response, status, { code });
  assert.doesNotMatch(error.message, INNER);
}

const sessions = () => stack.rows("SELECT session_id FROM widget_sessions");
const failing = (fault) => ["query", "batch"].map((call) => ({ call, when: "before", times: 100, ...fault }));

describe("a session for a visitor while D1", () => {
  for (const [what, fault, status, code] of [
    ["has_lost_its_connection", { error: LOST }, 503, "service_unavailable"],
    ["is_overloaded", { error: OVERLOADED }, 503, "service_unavailable"],
    ["rejects_the_statement", { error: "D1_ERROR: no such table: widgets: SQLITE_ERROR" }, 500, "internal_error"],
  ]) {
    test(`${what}_is_refused_with_${status}_stores_nothing_and_succeeds_later`, async () => {
      // The gateway knows the key.
      await openSession(stack, site.key);
      const before = await sessions();
      await plan(stack.url, failing(fault));
      const response = await postSession(stack, site.key);
      if (status === 503) assert.ok(Number(response.headers.get("retry-after")) >= 1, "the widget waits and repeats");
      await assertRefused(response, status, code);
      assert.deepEqual(await sessions(), before);
      await plan(stack.url, []);
      const session = await openSession(stack, site.key);
      assert.equal((await postMessage(stack, session)).status, 200);
    });
  }

  test("loses_its_connection_after_the_insert_is_refused_and_the_next_session_is_another_one", async () => {
    const before = (await sessions()).length;
    await plan(stack.url, failing({ about: "INSERT INTO widget_sessions", when: "after", error: LOST }));
    await assertRefused(await postSession(stack, site.key), 503, "service_unavailable");
    assert.equal((await sessions()).length, before + 1, "stored, but without a visitor: it expires");
    await plan(stack.url, []);
    const session = await openSession(stack, site.key);
    assert.equal((await postMessage(stack, session)).status, 200);
  });

  test("fails_while_a_conversation_is_continued_is_refused_and_the_conversation_stays", async () => {
    const session = await openSession(stack, site.key);
    assert.equal((await postMessage(stack, session)).status, 200);
    const kept = { conversation: session.session_id, visitor_secret: session.visitor_secret };
    await plan(stack.url, failing({ error: LOST }));
    await assertRefused(await postSession(stack, site.key, kept), 503, "service_unavailable");
    await plan(stack.url, []);
    const again = await openSession(stack, site.key, kept);
    assert.equal(again.session_id, session.session_id, "not a new one");
    assert.equal(again.visitor_secret, undefined);
  });
});

describe("a session for a visitor while KV is down", () => {
  test("is_opened_from_D1", async () => {
    await plan(stack.url, ["get", "put", "delete"].map((call) => ({ call, when: "before", error: "KV GET failed: 500", times: 100 })));
    const session = await openSession(stack, site.key);
    assert.equal(session.settings.title, "Acme");
  });
});

describe("a session for a visitor in a database without the table", () => {
  for (const table of ["widgets", "widget_sessions"]) {
    test(`${table}_is_a_generic_500_with_its_reason_in_the_log`, async () => {
      await openSession(stack, site.key);
      await stack.rows(`ALTER TABLE ${table} RENAME TO ${table}_away`);
      try {
        const response = await postSession(stack, site.key);
        const id = response.headers.get("x-request-id");
        await assertRefused(response, 500, "internal_error");
        await until(() => stack.logs.some(({ message }) => message.includes(id) && /no such table/.test(message)), "the log has the reason under the request id");
      } finally {
        await stack.rows(`ALTER TABLE ${table}_away RENAME TO ${table}`);
      }
      await openSession(stack, site.key);
    });
  }
});
