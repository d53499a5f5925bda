// The session routes by route and status, and their effect on the conversation.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as behaviours from "../harness/behaviours.mjs";
import { MODEL, complete, completeStream, expectError } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack({ gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

let created = 0;
const newSessionName = () => `api-session-${(created += 1)}`;
const user = (content) => ({ role: "user", content });
const inSession = (session, options = {}) => ({ ...options, headers: { "x-session-id": session } });
const promptTexts = () => stack.upstream.lastBody.messages.map(({ content }) => content);

/** A response delayed so that another request can come first. */
const delayedCompletion = (content) => async (request, response) => {
  await sleep(500);
  await behaviours.completion({ content })(request, response);
};

/** Waits until the upstream receives a request whose last message is `content`. */
async function waitForRequest(content) {
  while (stack.upstream.lastBody?.messages.at(-1).content !== content) await sleep(10);
}

/** Calls a session route. */
function call(method, path, { body, key = stack.key, url = stack.url, headers = {} } = {}) {
  return fetch(`${url}/v1/sessions${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Calls a session route, asserts a 200 and returns its body. */
async function ok(method, path, options) {
  const response = await call(method, path, options);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.match(response.headers.get("x-ratelimit-limit-requests") ?? "", /^\d+$/);
  return JSON.parse(text);
}

describe("POST /v1/sessions", () => {
  test("200_with_every_setting", async () => {
    const settings = { title: "Trip 🌍", metadata: { user: "42" }, system_prompt: "Be brief.", model: MODEL, thinking_level: "low", tools: ["time_now"], time_zone: "+05:30", ttl: 3600 };
    const session = await ok("POST", "", { body: settings });
    assert.match(session.id, /^ses_[0-9A-Z]{26}$/);
    const { id, created_at, updated_at, expires_at, ...rest } = session;
    assert.ok(Math.abs(created_at - Date.now() / 1000) < 60 && updated_at === created_at);
    assert.equal(expires_at - created_at, 3600);
    const { ttl: _ttl, ...stored } = settings;
    assert.deepEqual(rest, { object: "session", ...stored, token_total: 0 });
    assert.deepEqual(await ok("GET", `/${id}`), session);
  });

  test("200_with_a_client_chosen_id_and_409_the_second_time", async () => {
    const id = newSessionName();
    assert.equal((await ok("POST", "", { body: { id } })).id, id);
    await expectError(await call("POST", "", { body: { id } }), 409, { code: "conflict", param: "id" });
  });

  test("400_404_413_and_415_for_invalid_requests", async () => {
    await expectError(await call("POST", "", { body: { titel: "x" } }), 400, { code: "unknown_parameter", param: "titel" });
    await expectError(await call("POST", "", { body: { tenant_id: "ten_x" } }), 400, { param: "tenant_id" });
    await expectError(await call("POST", "", { body: { title: 5 } }), 400, { param: "title" });
    await expectError(await call("POST", "", { body: { tools: ["time_now", "no_such_tool"] } }), 400, { code: "invalid_value", param: "tools" });
    await expectError(await call("POST", "", { body: { model: "no-such-model" } }), 404, { code: "model_not_found" });
    await expectError(await call("POST", "", { body: JSON.stringify({ title: "x".repeat(300_000) }) }), 413);
    await expectError(await call("POST", "", { body: "{}", headers: { "content-type": "text/plain" } }), 415);
  });
});

describe("PATCH /v1/sessions/{id}", () => {
  test("200_changes_given_members_and_keeps_the_others", async () => {
    const { id } = await ok("POST", "", { body: { title: "old", metadata: { a: "1" } } });
    const session = await ok("PATCH", `/${id}`, { body: { title: "new", system_prompt: "Speak French." } });
    assert.deepEqual([session.title, session.metadata, session.system_prompt], ["new", { a: "1" }, "Speak French."]);
    const cleared = await ok("PATCH", `/${id}`, { body: { title: null, metadata: null } });
    assert.deepEqual([cleared.title, cleared.metadata, cleared.system_prompt], [null, {}, "Speak French."]);
  });

  test("the_next_turn_uses_the_new_prompt_through_either_gateway", async () => {
    const id = newSessionName();
    for (let round = 0; round < 4; round += 1) {
      const url = stack.urls[round % 2];
      await complete(stack, { messages: [user(`turn ${round}`)] }, inSession(id, { url }));
      await ok("PATCH", `/${id}`, { body: { system_prompt: `Prompt ${round}.` }, url: stack.urls[(round + 1) % 2] });
      await complete(stack, { messages: [user(`again ${round}`)] }, inSession(id, { url }));
      assert.equal(promptTexts()[0], `Prompt ${round}.`);
      assert.equal(promptTexts().filter((content) => content.startsWith("turn ")).length, round + 1, "all earlier messages are included");
    }
  });

  test("400_for_a_changed_id", async () => {
    const { id } = await ok("POST", "", { body: {} });
    await expectError(await call("PATCH", `/${id}`, { body: { id: "other" } }), 400, { param: "id" });
  });
});

describe("GET /v1/sessions", () => {
  const ids = (page) => page.data.map(({ id }) => id);

  test("200_newest_first_page_by_page_each_once", async () => {
    const mark = newSessionName();
    const all = [];
    for (let index = 0; index < 7; index += 1) all.unshift((await ok("POST", "", { body: { metadata: { mark } } })).id);
    const filter = `metadata[mark]=${mark}`;
    const seen = [];
    for (let path = `?${filter}&limit=3`; path; ) {
      const page = await ok("GET", path);
      assert.deepEqual(Object.keys(page), ["object", "data", "has_more", "next_cursor"]);
      assert.equal(page.object, "list");
      assert.equal(page.has_more, page.next_cursor !== null);
      seen.push(...ids(page));
      path = page.has_more && `?${filter}&limit=3&cursor=${page.next_cursor}`;
    }
    assert.deepEqual(seen, all);
    assert.equal((await ok("GET", `?${filter}`)).has_more, false);
  });

  test("200_by_title_date_and_labels", async () => {
    const mark = newSessionName();
    const { id, created_at } = await ok("POST", "", { body: { title: `Report ${mark} final`, metadata: { kind: mark } } });
    await ok("POST", "", { body: { title: "Something else", metadata: { kind: "other" } } });
    assert.deepEqual(ids(await ok("GET", `?title=${encodeURIComponent(`report ${mark}`)}`)), [id]);
    assert.deepEqual(ids(await ok("GET", `?metadata[kind]=${mark}`)), [id]);
    assert.deepEqual(ids(await ok("GET", `?metadata[kind]=${mark}&created_after=${created_at}&created_before=${created_at + 1}`)), [id]);
    assert.deepEqual(ids(await ok("GET", `?metadata[kind]=${mark}&created_before=${created_at}`)), []);
    assert.deepEqual(ids(await ok("GET", `?metadata[kind]=${mark}&created_after=${created_at + 1}`)), []);
  });

  test("400_for_invalid_parameters", async () => {
    for (const [query, param] of [["limit=0", "limit"], ["limit=101", "limit"], ["limit=1.5", "limit"], ["limit=1&limit=2", "limit"], ["order=asc", "order"], ["created_after=-1", "created_after"], ["created_before=soon", "created_before"], ["cursor=x", "cursor"]])
      await expectError(await call("GET", `?${query}`), 400, { param });
  });
});

describe("DELETE and reset", () => {
  test("200_a_reset_deletes_the_messages_and_keeps_the_settings", async () => {
    const { id } = await ok("POST", "", { body: { title: "kept", system_prompt: "Be kind." } });
    await complete(stack, { messages: [user("secret")] }, inSession(id));
    const session = await ok("POST", `/${id}/reset`);
    assert.deepEqual([session.title, session.token_total], ["kept", 0]);
    assert.deepEqual((await ok("GET", `/${id}/messages`)).data, []);
    await complete(stack, { messages: [user("after")] }, inSession(id, { url: stack.urls[1] }));
    assert.deepEqual(promptTexts(), ["Be kind.", "after"]);
  });

  test("200_a_deleted_session_is_gone_and_its_id_is_free", async () => {
    const id = newSessionName();
    await complete(stack, { messages: [user("secret")] }, inSession(id));
    assert.deepEqual(await ok("DELETE", `/${id}`), { id, object: "session.deleted", deleted: true });
    for (const [method, path] of [["GET", ""], ["DELETE", ""], ["POST", "/reset"], ["GET", "/messages"], ["GET", "/export"]])
      await expectError(await call(method, `/${id}${path}`), 404, { code: "resource_not_found" });
    await complete(stack, { messages: [user("after")] }, inSession(id, { url: stack.urls[1] }));
    assert.deepEqual(promptTexts(), ["after"]);
  });

  test("a_turn_running_during_a_reset_or_deletion_is_not_stored", async () => {
    for (const [method, path] of [["POST", "/reset"], ["DELETE", ""]]) {
      const id = newSessionName();
      await complete(stack, { messages: [user("first")] }, inSession(id));
      stack.upstream.next(delayedCompletion("late"));
      const late = fetch(`${stack.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json", "x-session-id": id },
        body: JSON.stringify({ model: MODEL, messages: [user("late question")] }),
      });
      await waitForRequest("late question");
      await ok(method, `/${id}${path}`, { url: stack.urls[1] });
      await expectError(await late, 409, { code: "conflict" });
      await complete(stack, { messages: [user("next")] }, inSession(id));
      assert.deepEqual(promptTexts(), ["next"], method);
    }
  });

  test("a_turn_running_during_a_change_of_settings_is_stored_after_it", async () => {
    const id = newSessionName();
    await complete(stack, { messages: [user("first")] }, inSession(id));
    stack.upstream.next(delayedCompletion("slow answer"));
    const slow = complete(stack, { messages: [user("slow question")] }, inSession(id));
    await waitForRequest("slow question");
    await ok("PATCH", `/${id}`, { body: { system_prompt: "New." } });
    await slow;
    await complete(stack, { messages: [user("next")] }, inSession(id));
    assert.equal(promptTexts()[0], "New.");
    assert.deepEqual(promptTexts().slice(-3), ["slow question", "slow answer", "next"]);
  });
});

describe("messages", () => {
  async function conversation(turns) {
    const id = newSessionName();
    for (let turn = 1; turn <= turns; turn += 1) {
      stack.upstream.next(behaviours.completion({ content: `answer ${turn}` }));
      await complete(stack, { messages: [user(`question ${turn}`)] }, inSession(id));
    }
    return id;
  }
  const texts = (page) => page.data.map(({ message }) => message.content);

  test("200_in_both_orders_page_by_page_and_between_two_messages", async () => {
    const id = await conversation(3);
    const all = await ok("GET", `/${id}/messages`);
    assert.deepEqual(texts(all), ["question 1", "answer 1", "question 2", "answer 2", "question 3", "answer 3"]);
    for (const order of ["asc", "desc"]) {
      const seen = [];
      for (let cursor = ""; cursor !== null; ) {
        const page = await ok("GET", `/${id}/messages?order=${order}&limit=4${cursor && `&cursor=${cursor}`}`);
        seen.push(...texts(page));
        cursor = page.next_cursor;
      }
      assert.deepEqual(order === "asc" ? seen : seen.reverse(), texts(all));
    }
    const [, second, , , fifth] = all.data.map((message) => message.id);
    assert.deepEqual(texts(await ok("GET", `/${id}/messages?after=${second}&before=${fifth}`)), ["question 2", "answer 2"]);
    assert.deepEqual(texts(await ok("GET", `/${id}/messages?before=${second}&order=desc`)), ["question 1"]);
    await expectError(await call("GET", `/${id}/messages?after=msg_01ARZ3NDEKTSV4RRFFQ69G5FAV`), 400, { param: "after" });
    await expectError(await call("GET", `/${id}/messages?order=up`), 400, { param: "order" });
  });

  test("200_byte_for_byte_with_status_model_and_request", async () => {
    const id = newSessionName();
    const odd = { role: "user", content: "h\u00e9 \u{1F600}\r\n\t\"quotes\" \\ \u2028", name: "ada", x_future: [1.0, null] };
    const { response } = await complete(stack, { messages: [odd] }, inSession(id));
    const { data } = await ok("GET", `/${id}/messages`);
    assert.deepEqual(data[0].message, odd);
    for (const [index, role] of [[0, "user"], [1, "assistant"]]) {
      const { object, role: sender, status, incomplete_reason, request_id, model } = data[index];
      assert.deepEqual({ object, sender, status, incomplete_reason, request_id, model }, { object: "session.message", sender: role, status: "complete", incomplete_reason: null, request_id: response.headers.get("x-request-id"), model: MODEL });
    }
  });

  test("200_a_broken_turn_is_marked", async () => {
    const id = newSessionName();
    stack.upstream.next(behaviours.resetMidBody({ pieces: ["par", "tial"] }));
    await completeStream(stack, { messages: [user("break")] }, inSession(id));
    const { data } = await ok("GET", `/${id}/messages`);
    assert.deepEqual(data.map(({ status, incomplete_reason }) => [status, incomplete_reason]), [["incomplete", "upstream_error"], ["incomplete", "upstream_error"]]);
    assert.equal(data[1].message.content, "partial");
  });

  test("200_a_deleted_message_is_absent_from_the_next_turn", async () => {
    const id = await conversation(2);
    const { data } = await ok("GET", `/${id}/messages`);
    const removed = data[0].id;
    assert.deepEqual(await ok("DELETE", `/${id}/messages/${removed}`), { id: removed, object: "session.message.deleted", deleted: true });
    await expectError(await call("DELETE", `/${id}/messages/${removed}`), 404);
    await expectError(await call("DELETE", `/${id}/messages/nothing`), 400);
    await complete(stack, { messages: [user("next")] }, inSession(id, { url: stack.urls[1] }));
    assert.deepEqual(promptTexts(), ["answer 1", "question 2", "answer 2", "next"]);
  });

  test("200_an_export_contains_everything", async () => {
    const { id } = await ok("POST", "", { body: { title: "to keep" } });
    const messages = Array.from({ length: 230 }, (_, index) => user(`line ${index}`));
    await complete(stack, { messages }, inSession(id));
    const exported = await ok("GET", `/${id}/export`);
    assert.equal(exported.object, "session.export");
    assert.deepEqual([exported.session.id, exported.session.title], [id, "to keep"]);
    assert.deepEqual(exported.messages.slice(0, -1).map(({ message }) => message), messages);
    assert.equal(exported.messages.at(-1).role, "assistant");
  });
});

describe("settings in a turn", () => {
  test("a_generated_session_uses_its_prompt_and_model", async () => {
    const { id } = await ok("POST", "", { body: { system_prompt: "Be brief.", model: MODEL, thinking_level: "low" } });
    const { response } = await complete(stack, { model: "auto", messages: [user("hello")] }, inSession(id));
    assert.deepEqual(promptTexts(), ["Be brief.", "hello"]);
    assert.equal(response.headers.get("x-clawless-model"), MODEL);
    assert.equal(response.headers.get("x-session-id"), id);
  });

  test("an_expired_session_is_gone_for_turns_and_routes", async () => {
    const { id } = await ok("POST", "", { body: { ttl: 1 } });
    await complete(stack, { messages: [user("in time")] }, inSession(id));
    await sleep(1100);
    await expectError(await call("GET", `/${id}`), 404);
    const late = await fetch(`${stack.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json", "x-session-id": id }, body: JSON.stringify({ model: MODEL, messages: [user("late")] }) });
    await expectError(late, 404, { param: "session_id" });
  });
});

describe("methods", () => {
  test("405_lists_the_allowed_methods", async () => {
    for (const [path, allow] of [["", "GET, HEAD, POST, OPTIONS"], ["/x", "GET, HEAD, PATCH, DELETE, OPTIONS"], ["/x/reset", "POST, OPTIONS"], ["/x/messages/y", "DELETE, OPTIONS"]]) {
      const response = await call("PUT", path);
      assert.equal(response.headers.get("allow"), allow);
      await expectError(response, 405);
    }
  });
});
