// Fault 18 for hot sessions, over two gateways: copies in KV save reads and are never authoritative.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { plan, faultState } from "../harness/storage-faults.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack({ build: BUILD_WITH_FAULTS, gateways: 2, tenants: 1 })));
after(() => stack.stop());
beforeEach(async () => {
  stack.upstream.reset();
  for (const url of stack.urls) await plan(url, []);
});

const user = (content) => ({ role: "user", content });
const promptTexts = () => stack.upstream.lastBody.messages.map(({ content }) => content);
const ANSWER = "Hello there.";

/** The number of copies of a session in the cache. */
const copies = async (session) => (await stack.cacheKeys()).filter((name) => name.includes(`:${session}/`)).length;

function sendMessage(session, text, url = stack.url) {
  return complete(stack, { messages: [user(text)] }, { url, headers: { "x-session-id": session } });
}

/** Sends a message in a session and waits for the cache copy, which is written after the response. */
async function sendAndWaitForCopy(session, text, url) {
  const before = await copies(session);
  await sendMessage(session, text, url);
  await until(async () => (await copies(session)) > before, "a copy of the session");
}

let created = 0;
/** Creates a session with one turn and a cache copy. */
async function hotSession(settings) {
  const session = `hot-${(created += 1)}`;
  if (settings) await callSessions("POST", "", { id: session, ...settings });
  await sendAndWaitForCopy(session, "one");
  return session;
}

async function callSessions(method, path, body, url = stack.url) {
  const response = await fetch(`${url}/v1/sessions${path}`, {
    method,
    headers: { authorization: `Bearer ${stack.key}`, ...(body ? { "content-type": "application/json" } : {}) },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

async function firstMessage(session) {
  const { data } = await callSessions("GET", `/${session}/messages`);
  return data[0].id;
}

// Changes of a session, and the prompt of the next turn after each.
const CHANGES = {
  a_new_prompt: [async (session, url) => callSessions("PATCH", `/${session}`, { system_prompt: "New." }, url), ["New.", "one", ANSWER, "two"]],
  a_removed_prompt: [async (session, url) => callSessions("PATCH", `/${session}`, { system_prompt: null }, url), ["one", ANSWER, "two"]],
  a_reset: [async (session, url) => callSessions("POST", `/${session}/reset`, undefined, url), ["Old.", "two"]],
  the_deletion_of_a_message: [async (session, url) => callSessions("DELETE", `/${session}/messages/${await firstMessage(session)}`, undefined, url), ["Old.", ANSWER, "two"]],
  its_deletion: [async (session, url) => callSessions("DELETE", `/${session}`, undefined, url), ["two"]],
};

// Cache behaviours. If deletions have no effect, old copies remain.
const CACHE_STATES = {
  working: [],
  ignoring_deletions: [{ call: "delete", when: "absent", times: 100 }],
  ignoring_writes: ["put", "delete"].map((call) => ({ call, when: "absent", times: 100 })),
  down: ["get", "put", "delete"].map((call) => ({ call, when: "before", error: "KV failed: 500", times: 100 })),
};

for (const [state, faults] of Object.entries(CACHE_STATES)) {
  describe(`fault 18: with a hot session and the cache ${state}`, () => {
    for (const [name, [apply, expected]] of Object.entries(CHANGES)) {
      test(`${name}_through_one_gateway_is_visible_to_the_next_turn_through_the_other`, async () => {
        const session = await hotSession({ system_prompt: "Old." });
        for (const url of stack.urls) await plan(url, faults);
        await apply(session, stack.urls[0]);
        await sendMessage(session, "two", stack.urls[1]);
        assert.deepEqual(promptTexts(), expected);
        // The turn after that can use the ledger and the cache.
        await sendMessage(session, "three", stack.urls[0]);
        assert.deepEqual(promptTexts(), [...expected, ANSWER, "three"]);
      });
    }
  });
}

describe("fault 18: a turn of a hot session", () => {
  test("reads_the_cache_and_not_the_database_and_writes_each_once", async () => {
    const session = await hotSession();
    const [, url] = stack.urls;
    const expected = ["one"];
    let calls;
    // A cache that takes more than a second is skipped: a busy machine may need several attempts.
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      // Key records are cached for half a minute.
      await complete(stack, {}, { url });
      const copied = await copies(session);
      await plan(url, []);
      const { done } = await completeStream(stack, { messages: [user("again")] }, { url, headers: { "x-session-id": session } });
      assert.equal(done, true);
      expected.push(ANSWER, "again");
      assert.deepEqual(promptTexts(), expected);
      await until(async () => (await copies(session)) > copied, "a copy of the session");
      ({ calls } = await faultState(url));
      if (!calls.query) break;
    }
    assert.deepEqual(calls, { batch: 1, get: 1, put: 1 });
  });

  for (const [what, faults] of [
    ["that_is_silent", [{ call: "get", when: "never", times: 10 }, { call: "put", when: "never", times: 10 }]],
    ["that_responds_429", [{ call: "get", when: "before", error: "KV GET failed: 429 Too Many Requests", times: 10 }, { call: "put", when: "after", error: "KV PUT failed: 429 Too Many Requests", times: 10 }]],
    ["that_has_cached_an_absence", [{ call: "get", when: "absent", times: 10 }]],
  ]) {
    test(`uses_the_database_instead_of_a_cache_${what}`, async () => {
      const session = await hotSession();
      await plan(stack.url, faults);
      await sendMessage(session, "two");
      assert.deepEqual(promptTexts(), ["one", ANSWER, "two"]);
      assert.equal((await faultState(stack.url)).calls.get, 1, "the cache is read once");
      const stored = await stack.rows("SELECT seq FROM turns WHERE session_id = ?", session);
      assert.equal(stored.length, 2);
    });
  }

  test("that_broke_leaves_no_copy_and_the_next_turn_reads_the_stored_part", async () => {
    const session = await hotSession();
    await plan(stack.url, []);
    stack.upstream.next(behaviours.resetMidBody());
    const response = await postChat(stack, chatBody({ stream: true, messages: [user("breaks")] }), { headers: { "x-session-id": session } });
    assert.ok(!(await response.text()).includes("[DONE]"));
    assert.equal((await faultState(stack.url)).calls.put, undefined);
    const stored = await stack.rows("SELECT content FROM messages WHERE session_id = ? ORDER BY seq, position", session);
    await sendMessage(session, "two");
    assert.deepEqual(promptTexts(), [...stored.map(({ content }) => JSON.parse(content).content), "two"]);
    await until(async () => (await copies(session)) === 2, "copies exist of the first and the last turn only");
  });
});

test("fault 18: a copy of a deleted tenant gives no access", async () => {
  const session = await hotSession();
  const { secret_key: key, tenant_id: tenant } = stack.tenants[0];
  const cache = await stack.cache();
  const [name] = (await stack.cacheKeys()).filter((key) => key.includes(`:${session}/`));
  const copy = await cache.get(name);
  const { status, body } = await stack.admin("DELETE", `/tenants/${tenant}`);
  assert.ok(status < 300, JSON.stringify(body));
  assert.equal(await copies(session), 0, "the copy is removed");
  // As if a turn had written it at that moment.
  await cache.put(name, copy, { expirationTtl: 300 });
  for (const url of stack.urls) {
    await expectError(await postChat(stack, chatBody(), { key, url, headers: { "x-session-id": session } }), 401);
  }
});
