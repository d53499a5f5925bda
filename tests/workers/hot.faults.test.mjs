// Fault 18 for hot sessions, over two gateways: their copies in KV save reads, and decide nothing.
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
const shown = () => stack.upstream.lastBody.messages.map(({ content }) => content);
const ANSWER = "Hello there.";

/** How many copies of a session the cache holds. */
const copies = async (session) => (await stack.cacheKeys()).filter((name) => name.includes(`:${session}/`)).length;

function say(session, text, url = stack.url) {
  return complete(stack, { messages: [user(text)] }, { url, headers: { "x-session-id": session } });
}

/** Says something in a session, and waits for the copy, which is made after the answer. */
async function sayAndCopy(session, text, url) {
  const before = await copies(session);
  await say(session, text, url);
  await until(async () => (await copies(session)) > before, "a copy of the session");
}

let made = 0;
/** A session of one turn, which has a copy. */
async function hotSession(settings) {
  const session = `hot-${(made += 1)}`;
  if (settings) await change("POST", "", { id: session, ...settings });
  await sayAndCopy(session, "one");
  return session;
}

async function change(method, path, body, url = stack.url) {
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
  const { data } = await change("GET", `/${session}/messages`);
  return data[0].id;
}

// What changes a session, and what the next turn shows the model after it.
const CHANGES = {
  a_new_prompt: [async (session, url) => change("PATCH", `/${session}`, { system_prompt: "New." }, url), ["New.", "one", ANSWER, "two"]],
  a_prompt_that_is_taken_away: [async (session, url) => change("PATCH", `/${session}`, { system_prompt: null }, url), ["one", ANSWER, "two"]],
  a_reset: [async (session, url) => change("POST", `/${session}/reset`, undefined, url), ["Old.", "two"]],
  the_deletion_of_a_message: [async (session, url) => change("DELETE", `/${session}/messages/${await firstMessage(session)}`, undefined, url), ["Old.", ANSWER, "two"]],
  its_deletion: [async (session, url) => change("DELETE", `/${session}`, undefined, url), ["two"]],
};

// What the cache does meanwhile. Where deletions do not arrive, the copies of what was stay.
const WEATHERS = {
  as_it_should: [],
  keeping_what_was_deleted: [{ call: "delete", when: "absent", times: 100 }],
  taking_nothing_new: ["put", "delete"].map((call) => ({ call, when: "absent", times: 100 })),
  down: ["get", "put", "delete"].map((call) => ({ call, when: "before", error: "KV failed: 500", times: 100 })),
};

for (const [weather, faults] of Object.entries(WEATHERS)) {
  describe(`fault 18: with a hot session and the cache ${weather}`, () => {
    for (const [name, [carryOut, expected]] of Object.entries(CHANGES)) {
      test(`${name}_through_one_gateway_is_seen_by_the_very_next_turn_through_the_other`, async () => {
        const session = await hotSession({ system_prompt: "Old." });
        for (const url of stack.urls) await plan(url, faults);
        await carryOut(session, stack.urls[0]);
        await say(session, "two", stack.urls[1]);
        assert.deepEqual(shown(), expected);
        // And by the one after it, which may go by what the ledger and the cache know.
        await say(session, "three", stack.urls[0]);
        assert.deepEqual(shown(), [...expected, ANSWER, "three"]);
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
    // A cache that takes more than a second is passed over: on a busy machine it may need another try.
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      // A key's record is gone by for half a minute.
      await complete(stack, {}, { url });
      const copied = await copies(session);
      await plan(url, []);
      const { done } = await completeStream(stack, { messages: [user("again")] }, { url, headers: { "x-session-id": session } });
      assert.equal(done, true);
      expected.push(ANSWER, "again");
      assert.deepEqual(shown(), expected);
      await until(async () => (await copies(session)) > copied, "a copy of the session");
      ({ calls } = await faultState(url));
      if (!calls.query) break;
    }
    assert.deepEqual(calls, { batch: 1, get: 1, put: 1 });
  });

  for (const [what, faults] of [
    ["that_is_silent", [{ call: "get", when: "never", times: 10 }, { call: "put", when: "never", times: 10 }]],
    ["that_answers_429", [{ call: "get", when: "before", error: "KV GET failed: 429 Too Many Requests", times: 10 }, { call: "put", when: "after", error: "KV PUT failed: 429 Too Many Requests", times: 10 }]],
    ["that_has_cached_that_there_is_nothing", [{ call: "get", when: "absent", times: 10 }]],
  ]) {
    test(`is_answered_from_the_database_before_a_cache_${what}`, async () => {
      const session = await hotSession();
      await plan(stack.url, faults);
      await say(session, "two");
      assert.deepEqual(shown(), ["one", ANSWER, "two"]);
      assert.equal((await faultState(stack.url)).calls.get, 1, "it is asked once");
      const stored = await stack.rows("SELECT seq FROM turns WHERE session_id = ?", session);
      assert.equal(stored.length, 2);
    });
  }

  test("that_broke_leaves_no_copy_and_the_next_turn_reads_what_is_stored_of_it", async () => {
    const session = await hotSession();
    await plan(stack.url, []);
    stack.upstream.next(behaviours.resetMidBody());
    const response = await postChat(stack, chatBody({ stream: true, messages: [user("breaks")] }), { headers: { "x-session-id": session } });
    assert.ok(!(await response.text()).includes("[DONE]"));
    assert.equal((await faultState(stack.url)).calls.put, undefined);
    const stored = await stack.rows("SELECT content FROM messages WHERE session_id = ? ORDER BY seq, position", session);
    await say(session, "two");
    assert.deepEqual(shown(), [...stored.map(({ content }) => JSON.parse(content).content), "two"]);
    await until(async () => (await copies(session)) === 2, "copies after the first turn and after the last");
  });
});

test("fault 18: a copy of a deleted tenant opens nothing", async () => {
  const session = await hotSession();
  const { secret_key: key, tenant_id: tenant } = stack.tenants[0];
  const { status, body } = await stack.admin("DELETE", `/tenants/${tenant}`);
  assert.ok(status < 300, JSON.stringify(body));
  assert.ok((await copies(session)) >= 1, "it stays until it ends by itself");
  for (const url of stack.urls) {
    await expectError(await postChat(stack, chatBody(), { key, url, headers: { "x-session-id": session } }), 401);
  }
});
