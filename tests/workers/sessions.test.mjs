// Sessions with an unmodified client: a session id is enough to continue a conversation.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, eventsAsTheyArrive, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack({ tenants: 2, gateways: 2 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

let created = 0;
/** A session id that no other test uses. */
const newSession = () => `session-${(created += 1)}`;
const inSession = (session, options = {}) => ({ ...options, headers: { "x-session-id": session } });
const user = (content) => ({ role: "user", content });
const assistant = (content) => ({ role: "assistant", content });
const sent = () => stack.upstream.lastBody.messages.map(({ role, content }) => ({ role, content }));

describe("history", () => {
  test("comes_before_the_new_messages_in_its_original_order", async () => {
    const session = newSession();
    stack.upstream.next(behaviours.completion({ content: "one" }), behaviours.stream({ pieces: ["t", "wo"] }), behaviours.completion({ content: "three" }));
    await complete(stack, { messages: [{ role: "system", content: "Count." }, user("1")] }, inSession(session));
    await completeStream(stack, { messages: [user("2")] }, inSession(session));
    await complete(stack, { messages: [user("3a"), user("3b")] }, inSession(session));
    await complete(stack, { messages: [user("4")] }, inSession(session));
    assert.deepEqual(sent(), [
      { role: "system", content: "Count." },
      user("1"),
      assistant("one"),
      user("2"),
      assistant("two"),
      user("3a"),
      user("3b"),
      assistant("three"),
      user("4"),
    ]);
  });

  test("keeps_every_member_of_a_message", async () => {
    const session = newSession();
    const messages = [
      { role: "user", name: "ada", content: [{ type: "text", text: "What is in it?" }, { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=", detail: "low" } }] },
      { role: "assistant", content: null, tool_calls: [{ id: "call_1", type: "function", function: { name: "look", arguments: '{ "at" : 1.0 }' } }] },
      { role: "tool", tool_call_id: "call_1", content: "A cat.", a_member_of_the_future: [1, 2.5, null] },
    ];
    await complete(stack, { messages }, inSession(session));
    await complete(stack, { messages: [user("And now?")] }, inSession(session));
    assert.deepEqual(stack.upstream.lastBody.messages.slice(0, messages.length), messages);
    assert.deepEqual(stack.upstream.lastBody.messages.at(-1), user("And now?"));
  });

  test("keeps_the_tool_calls_of_the_model", async () => {
    const session = newSession();
    const tool_calls = [{ id: "call_9", type: "function", function: { name: "look", arguments: "{}" } }];
    const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
    stack.upstream.next(behaviours.completion({ message: { content: null, tool_calls }, finish_reason: "tool_calls" }));
    await complete(stack, { messages: [user("Look.")], tools }, inSession(session));
    await complete(stack, { messages: [{ role: "tool", tool_call_id: "call_9", content: "A dog." }], tools }, inSession(session));
    const replayed = stack.upstream.lastBody.messages;
    assert.deepEqual(replayed.map((message) => message.role), ["user", "assistant", "tool"]);
    assert.deepEqual(replayed[1].tool_calls, tool_calls);
  });

  test("is_the_same_through_another_gateway", async () => {
    const session = newSession();
    const [first, second] = stack.urls;
    await complete(stack, { messages: [user("to the first")] }, inSession(session, { url: first }));
    await complete(stack, { messages: [user("to the second")] }, inSession(session, { url: second }));
    await complete(stack, { messages: [user("to the first again")] }, inSession(session, { url: first }));
    assert.deepEqual(sent().filter(({ role }) => role === "user").map(({ content }) => content), ["to the first", "to the second", "to the first again"]);
  });

  test("is_absent_without_a_session", async () => {
    const before = await stack.rows("SELECT count(*) AS count FROM messages");
    await complete(stack, { messages: [user("a")] });
    const { response } = await complete(stack, { messages: [user("b")] });
    assert.deepEqual(sent(), [user("b")]);
    assert.equal(response.headers.get("x-session-id"), null);
    assert.deepEqual(await stack.rows("SELECT count(*) AS count FROM messages"), before);
  });

  test("counts_once_in_the_prompt_tokens", async () => {
    const session = newSession();
    for (let turn = 1; turn <= 4; turn += 1) {
      await complete(stack, { messages: [user(`turn ${turn}`)] }, inSession(session));
      assert.equal(stack.upstream.lastBody.messages.length, 2 * turn - 1);
    }
  });
});

describe("a session's name", () => {
  test("is_accepted_in_the_header_or_the_body_and_returned", async () => {
    const session = newSession();
    const inHeader = await complete(stack, { messages: [user("by header")] }, inSession(session));
    const inBody = await complete(stack, { messages: [user("by body")], session_id: session });
    const streamed = await completeStream(stack, { messages: [user("streamed")], session_id: session });
    for (const { response } of [inHeader, inBody, streamed]) assert.equal(response.headers.get("x-session-id"), session);
    assert.deepEqual(sent().filter(({ role }) => role === "user").map(({ content }) => content), ["by header", "by body", "streamed"]);
  });

  test("that_differs_between_header_and_body_is_rejected", async () => {
    const response = await postChat(stack, chatBody({ session_id: newSession() }), inSession(newSession()));
    await expectError(response, 400, { param: "session_id" });
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("of_the_generated_format_that_does_not_exist_is_a_404", async () => {
    const response = await postChat(stack, chatBody(), inSession("ses_01ARZ3NDEKTSV4RRFFQ69G5FAV"));
    await expectError(response, 404);
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("belongs_to_its_tenant_so_two_tenants_may_use_the_same", async () => {
    const session = newSession();
    const [ours, theirs] = stack.tenants.map((tenant) => tenant.secret_key);
    await complete(stack, { messages: [user("ours")] }, inSession(session, { key: ours }));
    await complete(stack, { messages: [user("theirs")] }, inSession(session, { key: theirs }));
    assert.deepEqual(sent(), [user("theirs")]);
  });
});

describe("a turn", () => {
  /** The message texts of a session that are in D1 now. */
  async function stored(text) {
    const rows = await stack.rows("SELECT * FROM messages");
    return rows.filter((row) => JSON.stringify(row).includes(text)).length;
  }

  test("is_in_the_database_before_the_end_of_its_stream_is_sent", async () => {
    for (let round = 0; round < 10; round += 1) {
      const session = newSession();
      const canary = `canary-stream-${round}-x`;
      stack.upstream.next(behaviours.stream({ pieces: [canary] }));
      const response = await postChat(stack, chatBody({ stream: true }), inSession(session));
      let storedAtDone;
      for await (const event of eventsAsTheyArrive(response)) {
        if (event === "data: [DONE]") storedAtDone = await stored(canary);
      }
      assert.equal(storedAtDone, 1, "the turn is stored before [DONE] is sent");
    }
  });

  test("is_in_the_database_before_the_end_of_its_json_is_sent", async () => {
    for (let round = 0; round < 10; round += 1) {
      const canary = `canary-json-${round}-x`;
      stack.upstream.next(behaviours.completion({ content: canary }));
      await complete(stack, {}, inSession(newSession()));
      assert.equal(await stored(canary), 1);
    }
  });

  test("that_fails_before_the_first_byte_stores_nothing", async () => {
    const session = newSession();
    const before = await stack.rowCounts();
    stack.upstream.always(behaviours.htmlWith200());
    await expectError(await postChat(stack, chatBody({ messages: [user("lost")] }), inSession(session)), 502);
    await expectError(await postChat(stack, chatBody({ messages: [user("lost")], stream: true }), inSession(session)), 502);
    const { messages } = await stack.rowCounts();
    assert.equal(messages, before.messages);
    stack.upstream.reset();
    await complete(stack, { messages: [user("kept")] }, inSession(session));
    assert.deepEqual(sent(), [user("kept")]);
  });

  test("whose_stream_breaks_is_stored_with_its_partial_text_and_marked_incomplete", async () => {
    const session = newSession();
    stack.upstream.next(behaviours.resetMidBody({ pieces: ["partial-", "canary"] }));
    const { done, chunks } = await completeStream(stack, { messages: [user("tell me")] }, inSession(session));
    assert.equal(done, false);
    assert.ok("error" in chunks.at(-1));
    const rows = await stack.rows("SELECT * FROM turns WHERE session_id = ?", session);
    assert.equal(rows.length, 1);
    assert.equal(rows[0].status, "incomplete", JSON.stringify(rows[0]));
    assert.ok(rows[0].incomplete_reason.length > 0);
    assert.equal(rows[0].finish_reason, null);
    assert.ok(rows[0].completion_tokens > 0, "the produced tokens are recorded");
    assert.equal(await stored("partial-canary"), 1);
  });

  test("after_a_broken_one_is_still_possible", async () => {
    const session = newSession();
    stack.upstream.next(behaviours.resetMidBody({ pieces: ["par", "tial"] }));
    await completeStream(stack, { messages: [user("first")] }, inSession(session));
    await complete(stack, { messages: [user("second")] }, inSession(session));
    const history = sent();
    assert.deepEqual(history[0], user("first"));
    assert.deepEqual(history.at(-1), user("second"));
  });

  test("is_stored_whole_when_the_client_disconnects_in_the_middle", async () => {
    const session = newSession();
    let finished;
    const finish = new Promise((resolve) => (finished = resolve));
    stack.upstream.next(async (request, response) => {
      await behaviours.stream({ pieces: Array.from({ length: 20 }, (_, index) => `p${index};`), delayMs: 25 })(request, response);
      finished();
    });
    const leaving = new AbortController();
    const response = await postChat(stack, chatBody({ stream: true }), { ...inSession(session), signal: leaving.signal });
    for await (const event of eventsAsTheyArrive(response)) {
      if (event.includes("p3;")) break;
    }
    leaving.abort();
    await finish;
    const whole = Array.from({ length: 20 }, (_, index) => `p${index};`).join("");
    // The client is disconnected, so the test polls until the turn is stored.
    for (let tries = 0; tries < 100 && (await stored(whole)) === 0; tries += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await stored(whole), 1);
  });

  test("concurrent_with_another_is_stored_before_or_after_it_and_never_interleaved", async () => {
    const session = newSession();
    await complete(stack, { messages: [user("start")] }, inSession(session));
    stack.upstream.always(behaviours.completionOrStream({ content: (request) => `re:${request.body.messages.at(-1).content}`, delayMs: 5 }));
    const questions = ["a", "b", "c", "d"];
    const responses = await Promise.all(questions.map((question, index) =>
      postChat(stack, chatBody({ messages: [user(question)], stream: index % 2 === 0 }), inSession(session, { url: stack.urls[index % 2] })).then(async (response) => ({ status: response.status, text: await response.text() }))));
    const served = questions.filter((_, index) => responses[index].status === 200 && !responses[index].text.includes('"error"'));
    assert.ok(served.length > 0, JSON.stringify(responses));
    await complete(stack, { messages: [user("end")] }, inSession(session));
    const history = sent().slice(2, -1);
    assert.equal(history.length, 2 * served.length, "only served turns are stored");
    for (let index = 0; index < history.length; index += 2) {
      assert.equal(history[index].role, "user");
      assert.deepEqual(history[index + 1], assistant(`re:${history[index].content}`));
    }
    assert.deepEqual(history.filter(({ role }) => role === "user").map(({ content }) => content).sort(), served);
  });
});
