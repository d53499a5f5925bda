// Attacks 50 and 60 on every surface: a quota that is reserved or used up, and a full storage, are refused with the
// surface's own error before the model is called. Warnings of storage quotas.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, expectError, MODEL, postChat } from "../harness/client.mjs";
import { expectMessageError, messageBody, postMessage } from "../harness/messages-client.mjs";
import { call, postResponse } from "../harness/responses.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
let next = 0;
before(async () => (stack = await startStack({ tenants: 26 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** A tenant that no other test uses, with these settings. */
async function tenantWith(settings) {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[next++];
  await stack.updateSettings(tenant, settings);
  return { tenant, key };
}

const expectOpenAi = (response, code) => expectError(response, 429, { code, type: code === "insufficient_quota" ? code : "requests" });

/** Each surface: how to send a turn, stored in a session or not, and how to check a 429. */
const SURFACES = {
  chat: {
    send: (key, { session, ...fields } = {}) => postChat(stack, chatBody(fields), { key, headers: session ? { "x-session-id": session } : {} }),
    expect: expectOpenAi,
  },
  responses: {
    send: (key, { session, ...fields } = {}) => postResponse(stack, { model: MODEL, input: "Say hello.", store: session !== undefined, ...(session ? { conversation: session } : {}), ...fields }, { key }),
    expect: expectOpenAi,
  },
  messages: {
    send: (key, { session, ...fields } = {}) => postMessage(stack, messageBody(fields), { key, headers: session ? { "x-session-id": session } : {} }),
    expect: (response, code) => expectMessageError(response, 429, code === "insufficient_quota" ? "billing_error" : "rate_limit_error"),
  },
};

/** Makes the model answer only after `release()`. */
function holdAnswers() {
  let release;
  const released = new Promise((resolve) => (release = resolve));
  stack.upstream.always(async (request, response) => {
    await released;
    await behaviours.completionOrStream()(request, response);
  });
  return release;
}

/** Checks a refusal that ends with a running request. */
async function expectReserved(surface, response) {
  assert.ok(Number(response.headers.get("retry-after")) >= 1, "it says when to repeat it");
  assert.notEqual(response.headers.get("x-should-retry"), "false");
  const { message } = await SURFACES[surface].expect(response, "rate_limit_exceeded");
  assert.match(message, /Running requests have reserved the rest/);
}

/** Checks a refusal that lasts. */
async function expectUsedUp(surface, response, pattern) {
  assert.equal(response.headers.get("x-should-retry"), "false");
  assert.equal(response.headers.get("retry-after"), null);
  const { message } = await SURFACES[surface].expect(response, "insufficient_quota");
  assert.match(message, pattern);
}

for (const [surface, { send }] of Object.entries(SURFACES)) {
  for (const stream of [false, true]) {
    const name = `${surface}, ${stream ? "streamed" : "whole"}`;

    test(`attack_50_what_a_running_request_reserves_is_a_429_with_retry_after_and_what_it_used_is_not (${name})`, async () => {
      const { key } = await tenantWith({ quotas: { messages_per_month: 1 } });
      const release = holdAnswers();
      const running = send(key, { stream });
      await until(() => stack.upstream.requests.length === 1, "the first request runs");
      for (const other of Object.keys(SURFACES)) await expectReserved(other, await SURFACES[other].send(key, { stream }));
      release();
      const answered = await running;
      assert.equal(answered.status, 200, await answered.text());
      await expectUsedUp(surface, await send(key, { stream }), /1 used and 0 reserved of 1/);
      assert.equal(stack.upstream.requests.length, 1);
    });

    test(`attack_60_a_storage_that_a_running_turn_fills_is_a_429_with_retry_after_and_a_full_one_is_not (${name})`, async () => {
      const { key } = await tenantWith({ storage: { messages: 3 } });
      for (const id of ["one", "two"]) assert.equal((await call(stack, "POST", "/sessions", { id }, { key })).status, 200);
      const release = holdAnswers();
      const running = send(key, { stream, session: "one" });
      await until(() => stack.upstream.requests.length === 1, "the first request runs");
      for (const other of Object.keys(SURFACES)) await expectReserved(other, await SURFACES[other].send(key, { stream, session: "two" }));
      release();
      const answered = await running;
      assert.equal(answered.status, 200, await answered.text());
      await expectUsedUp(surface, await send(key, { stream, session: "two" }), /storage quota of 3 messages: 2 are stored, and this request adds 2/);
      assert.equal(stack.upstream.requests.length, 1, "the model is not called");
      // What is not stored has no quota, and what is deleted makes room.
      assert.equal((await send(key, { stream })).status, 200);
      assert.equal((await call(stack, "DELETE", "/sessions/one", undefined, { key })).status, 200);
      assert.equal((await send(key, { stream, session: "two" })).status, 200);
    });
  }
}

describe("attack 60: every way to add content", () => {
  test("attack_60_each_route_that_creates_a_session_is_refused_when_there_are_enough", async () => {
    const { key } = await tenantWith({ storage: { sessions: 1 } });
    assert.equal((await call(stack, "POST", "/conversations", {}, { key })).status, 200);
    await expectUsedUp("chat", await SURFACES.chat.send(key, { session: "new" }), /quota of 1 sessions/);
    await expectUsedUp("messages", await SURFACES.messages.send(key, { session: "new" }), /quota of 1 sessions/);
    await expectUsedUp("responses", await postResponse(stack, { model: MODEL, input: "Hi" }, { key }), /quota of 1 sessions/);
    for (const path of ["/conversations", "/sessions"]) {
      const { status, body, headers } = await call(stack, "POST", path, {}, { key });
      assert.deepEqual([status, body.error.code, headers.get("x-should-retry")], [429, "insufficient_quota", "false"], path);
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("attack_60_settings_and_copies_of_earlier_turns_count", async () => {
    const { tenant, key } = await tenantWith({ storage: { messages: 6, bytes: 5_000 } });
    const { body: conversation } = await call(stack, "POST", "/conversations", {}, { key });
    const metadata = Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`k${at}`, "v".repeat(500)]));
    for (const path of ["/conversations", `/conversations/${conversation.id}`]) {
      const { status, body } = await call(stack, "POST", path, { metadata }, { key });
      assert.deepEqual([status, body.error?.code], [429, "insufficient_quota"], `${path}: ${JSON.stringify(body)}`);
    }
    // Continuing an earlier turn copies the turns before it.
    const respond = async (fields) => {
      const response = await postResponse(stack, { model: MODEL, input: "Hi", ...fields }, { key });
      return { response, body: await response.clone().json() };
    };
    const { body: first } = await respond({});
    const { body: second } = await respond({ previous_response_id: first.id });
    assert.equal(second.status, "completed");
    const { response } = await respond({ previous_response_id: first.id });
    await expectUsedUp("responses", response, /quota of 6 messages: 4 are stored, and this request adds 4/);
    const [{ count }] = await stack.rows("SELECT count(*) AS count FROM messages WHERE tenant_id = ?1", tenant);
    assert.equal(count, 4);
  });
});

describe("warnings of storage quotas", () => {
  /** A tenant, and the warnings about it since then. */
  async function watched(settings) {
    const { tenant, key } = await tenantWith(settings);
    const from = stack.logs.length;
    const warnings = () => {
      const lines = stack.logs.slice(from).map(({ message }) => JSON.parse(message));
      const found = lines.filter((line) => line.message === "storage quota warning" && line.tenant === tenant);
      return found.map(({ level, kind, percent, used, limit, key: of, request_id: id }) => ({ level, kind, percent, used, limit, key: of, hasRequest: id?.startsWith("req_") }));
    };
    return { key, keyId: await stack.keyId(tenant), warnings, settle: (count) => until(() => warnings().length >= count, `${count} warnings`) };
  }

  test("the_log_warns_once_at_80_and_once_at_100_percent_of_the_sessions_whichever_route_creates_them", async () => {
    const { key, keyId, warnings, settle } = await watched({ storage: { sessions: 5 } });
    const line = (fields) => ({ level: "WARN", kind: "sessions", limit: 5, hasRequest: true, key: undefined, ...fields });
    const create = async (path) => assert.equal((await call(stack, "POST", path, {}, { key })).status, 200);
    await create("/sessions");
    await create("/conversations");
    assert.equal((await SURFACES.messages.send(key, { session: "third" })).status, 200);
    assert.deepEqual(warnings(), []);
    assert.equal((await postResponse(stack, { model: MODEL, input: "Hi" }, { key })).status, 200);
    await settle(1);
    await create("/conversations");
    await settle(2);
    assert.equal((await SURFACES.chat.send(key, { session: "third" })).status, 200);
    assert.deepEqual(warnings(), [line({ percent: 80, used: 4, key: keyId }), line({ percent: 100, used: 5 })]);
  });

  test("the_log_warns_once_at_80_and_once_at_100_percent_of_the_messages_on_every_surface", async () => {
    const { key, keyId, warnings, settle } = await watched({ storage: { messages: 10 } });
    assert.equal((await call(stack, "POST", "/sessions", { id: "s" }, { key })).status, 200);
    for (const surface of ["chat", "responses", "messages", "responses", "chat"]) {
      const response = await SURFACES[surface].send(key, { session: "s", stream: true });
      assert.equal(response.status, 200, await response.text());
    }
    await settle(2);
    const line = (percent, used) => ({ level: "WARN", kind: "messages", percent, used, limit: 10, key: keyId, hasRequest: true });
    assert.deepEqual(warnings(), [line(80, 8), line(100, 10)]);
  });

  test("the_log_warns_of_bytes_that_settings_fill", async () => {
    const { key, warnings, settle } = await watched({ storage: { bytes: 1_000 } });
    assert.equal((await call(stack, "POST", "/sessions", { id: "s", system_prompt: "x".repeat(850) }, { key })).status, 200);
    await settle(1);
    const [{ used, ...found }] = warnings();
    assert.deepEqual(found, { level: "WARN", kind: "bytes", percent: 80, limit: 1_000, key: undefined, hasRequest: true });
    assert.ok(used >= 850 && used < 1_000, `${used}`);
  });
});
