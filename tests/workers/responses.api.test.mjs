// The Responses surface and conversations over HTTP: shapes, scopes, isolation, idempotency, storage.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { randomUUID } from "node:crypto";
import { completionOrStream } from "../harness/behaviours.mjs";
import { expectError, MODEL } from "../harness/client.mjs";
import { call, parseResponseEvents, postResponse, terminalEvent } from "../harness/responses.mjs";
import { messageBody, postMessage } from "../harness/messages-client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
/** A model with a window for long histories. */
const LONG_MODEL = "long-model";
before(async () => {
  stack = await startStack({
    tenants: 3,
    vars: (upstream) => {
      const { models, ...provider } = upstream.provider();
      return { PROVIDERS: JSON.stringify([{ ...provider, models: [...models, { ...models[0], id: LONG_MODEL, context: 20_000_000 }] }]) };
    },
  });
});
after(() => stack.stop());

const other = () => ({ key: stack.tenants[1].secret_key });
const create = async (fields, options) => {
  const response = await postResponse(stack, { model: MODEL, input: "Say hello.", ...fields }, options);
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return { response, body };
};

describe("a response", () => {
  test("has_every_member_that_sdks_require", async () => {
    const { body } = await create({});
    const expected = {
      object: "response", status: "completed", error: null, incomplete_details: null, model: MODEL,
      access_programs: null, background: false, conversation: null, frequency_penalty: 0, instructions: null, max_output_tokens: null,
      max_tool_calls: null, metadata: {}, parallel_tool_calls: true, presence_penalty: 0, previous_response_id: null,
      prompt_cache_key: null, reasoning: { effort: null, summary: null }, safety_identifier: null, service_tier: "default",
      store: true, temperature: 1, text: { format: { type: "text" } }, tool_choice: "auto", tools: [], top_logprobs: 0, top_p: 1,
      truncation: "auto", user: null,
    };
    const { id, created_at: created, completed_at: completed, output, usage, ...rest } = body;
    assert.deepEqual(rest, expected);
    assert.match(id, /^resp_[0-9A-Z]{26}$/);
    assert.ok(Number.isInteger(created) && Number.isInteger(completed) && completed >= created);
    assert.ok(output.length === 1 && usage.total_tokens === 18);
  });

  test("is_stored_in_a_session_that_counts_and_goes_with_it", async () => {
    const { response, body } = await create({});
    const session = response.headers.get("x-session-id");
    assert.equal(session, `conv_${body.id.slice("resp_".length)}`);
    const [turn] = await stack.rows("SELECT echo, stored_bytes FROM turns WHERE session_id = ?1", session);
    assert.equal(JSON.parse(turn.echo).inputs, 1);
    assert.ok(turn.stored_bytes > turn.echo.length);
    assert.equal((await call(stack, "DELETE", `/responses/${body.id}`)).status, 200);
    assert.deepEqual(await stack.rows("SELECT 1 FROM turns WHERE session_id = ?1", session), []);
    assert.equal((await call(stack, "GET", `/conversations/${session}`)).status, 404);
  });

  test("of_another_tenant_does_not_exist", async () => {
    const { response, body } = await create({});
    const session = response.headers.get("x-session-id");
    const unknown = "resp_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const item = body.output[0].id;
    for (const id of [body.id, unknown, "resp_x", session]) {
      for (const [method, path] of [["GET", ""], ["DELETE", ""], ["POST", "/cancel"], ["GET", "/input_items"]]) {
        const { status, body: answer } = await call(stack, method, `/responses/${id}${path}`, undefined, other());
        assert.deepEqual([status, answer.error.message], [404, "There is no such response."], `${method} ${id}${path}`);
      }
    }
    const refused = async (fields, param) => {
      const response = await postResponse(stack, { model: MODEL, input: "a", ...fields }, other());
      assert.equal((await expectError(response, 404)).param, param);
    };
    await refused({ previous_response_id: body.id }, "previous_response_id");
    await refused({ input: [{ type: "item_reference", id: item }] }, "input[0].id");
    assert.equal((await call(stack, "GET", `/conversations/${session}/items`, undefined, other())).status, 404);
    assert.equal((await call(stack, "GET", `/responses/${body.id}`)).status, 200);
  });

  test("has_the_same_completion_time_streamed_retrieved_and_replayed", async () => {
    const send = (key) =>
      postResponse(stack, { model: MODEL, input: "Say hello.", stream: true }, { headers: { "idempotency-key": key } });
    const key = randomUUID();
    const events = parseResponseEvents(await (await send(key)).text());
    const { response } = terminalEvent(events);
    assert.ok(Number.isInteger(response.completed_at) && response.completed_at >= response.created_at);
    const earlier = events.filter((event) => event.response).slice(0, -1);
    assert.deepEqual(earlier.map((event) => event.response.completed_at), [null, null]);
    const stored = await call(stack, "GET", `/responses/${response.id}`);
    assert.equal(stored.body.completed_at, response.completed_at);
    const replayed = terminalEvent(parseResponseEvents(await (await send(key)).text())).response;
    assert.equal(replayed.completed_at, response.completed_at);
  });

  test("is_given_once_for_an_idempotency_key", async () => {
    for (const stream of [false, true]) {
      const options = { headers: { "idempotency-key": randomUUID() } };
      stack.upstream.reset();
      const send = () => postResponse(stack, { model: MODEL, input: "Say hello.", stream }, options);
      const [first, second] = [await send(), await send()];
      assert.equal(second.headers.get("idempotent-replayed"), "true");
      assert.equal(stack.upstream.requests.length, 1);
      const [one, two] = [await first.text(), await second.text()];
      const last = (text) => (stream ? terminalEvent(parseResponseEvents(text)).response : JSON.parse(text));
      assert.deepEqual(last(two), last(one));
      const turns = await stack.rows("SELECT 1 FROM turns WHERE request_id = ?1", `req_${last(one).id.slice(5)}`);
      assert.equal(turns.length, 1);
    }
  });

  test("too_large_to_be_stored_is_refused_before_the_model_is_called", async () => {
    stack.upstream.reset();
    const text = "x".repeat(2_100_000);
    for (const [fields, param] of [[{ instructions: text }, "instructions"], [{ input: text }, "input"]]) {
      const body = { model: MODEL, input: "Say hello.", ...fields };
      assert.equal((await expectError(await postResponse(stack, body), 400)).param, param);
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("counts_the_history_that_it_continues", async () => {
    const { body: first } = await create({ input: "many words ".repeat(100) });
    const { body: conversation } = await call(stack, "POST", "/conversations", {});
    await create({ input: "many words ".repeat(100), conversation: conversation.id });
    const count = async (fields, options) => {
      const { status, body } = await call(stack, "POST", "/responses/input_tokens", { model: MODEL, input: "two", ...fields }, options);
      return status === 200 ? body.input_tokens : [status, body.error.param];
    };
    const alone = await count({});
    for (const fields of [{ previous_response_id: first.id }, { conversation: conversation.id }, { input: [{ type: "item_reference", id: first.output[0].id }, { role: "user", content: "two" }] }]) {
      const [counted, foreign] = [await count(fields), await count(fields, other())];
      assert.ok(counted > alone, `${JSON.stringify(fields)}: ${counted} of ${alone}`);
      assert.equal(foreign[0], 404, JSON.stringify([fields, foreign]));
    }
    assert.ok((await count({ previous_response_id: first.id })) > alone + 100);
    const turns = await stack.rows("SELECT count(*) AS count FROM turns WHERE session_id = ?1", conversation.id);
    assert.equal(turns[0].count, 1, "nothing is stored");
  });

  test("counts_the_sessions_prompt_with_its_values", async () => {
    const count = async (settings) => {
      const { body: session } = await call(stack, "POST", "/sessions", settings);
      const { status, body } = await call(stack, "POST", "/responses/input_tokens", { model: MODEL, input: "two", conversation: session.id, safety_identifier: "u".repeat(60) });
      assert.equal(status, 200, JSON.stringify(body));
      return body.input_tokens;
    };
    const [bare, raw, filled] = [await count({}), await count({ system_prompt: "word" }), await count({ system_prompt: "{{user}}{{user}}{{user}}{{user}}{{user}}{{user}}" })];
    assert.ok(raw > bare && filled > bare + 80, `${bare} ${raw} ${filled}`);
  });

  test("reports_what_it_ignores", async () => {
    const { response } = await create({ reasoning: { effort: null, mode: "pro" }, some_extension: 1 });
    const dropped = response.headers.get("x-clawless-dropped").split(", ");
    assert.ok(dropped.includes("reasoning.mode"), dropped.join());
  });

  test("needs_the_scopes_of_its_routes", async () => {
    const [{ tenant_id: tenant }] = stack.tenants;
    const { body: created } = await stack.admin("POST", `/tenants/${tenant}/keys`, { name: "chat only", scopes: ["chat"] });
    const limited = { key: created.key };
    const { body } = await create({}, limited);
    for (const [method, path] of [
      ["GET", `/responses/${body.id}`], ["DELETE", `/responses/${body.id}`], ["POST", `/responses/${body.id}/cancel`],
      ["GET", `/responses/${body.id}/input_items`], ["POST", "/conversations"], ["GET", "/conversations/a"],
      ["POST", "/conversations/a"], ["DELETE", "/conversations/a"], ["GET", "/conversations/a/items"],
    ]) {
      const { status, body: refused } = await call(stack, method, path, undefined, limited);
      assert.deepEqual([status, refused.error?.code], [403, "permission_denied"], `${method} ${path}`);
    }
  });
});

describe("a response that continues another one", () => {
  test("copies_the_history_only_if_another_one_continued_it", async () => {
    const first = (await create({ input: "one" })).body;
    const next = await create({ input: "two", previous_response_id: first.id });
    const branch = await create({ input: "other", previous_response_id: first.id });
    const sessions = [next, branch].map(({ response }) => response.headers.get("x-session-id"));
    assert.notEqual(sessions[0], sessions[1]);
    const turns = await stack.rows("SELECT seq, request_id, echo IS NULL AS copied FROM turns WHERE session_id = ?1 ORDER BY seq", sessions[1]);
    assert.deepEqual(turns.map(({ seq, copied }) => [seq, copied]), [[1, 1], [2, 0]]);
    assert.notEqual(turns[0].request_id, `req_${first.id.slice(5)}`, "a copy has a request of its own");
    const items = await call(stack, "GET", `/responses/${branch.body.id}/input_items?order=asc`);
    assert.deepEqual(items.body.data.map(({ content }) => content[0].text), ["other"]);
  });

  test("branches_off_or_is_retried_if_two_run_at_once", async () => {
    const first = (await create({ input: "one" })).body;
    const send = (input) => postResponse(stack, { model: MODEL, input, previous_response_id: first.id });
    const answers = await Promise.all([send("a"), send("b"), send("c")]);
    const sessions = new Set();
    for (const answer of answers) {
      if (answer.status === 200) sessions.add(answer.headers.get("x-session-id"));
      else await expectError(answer, 409, { code: "session_busy" });
    }
    const history = await stack.rows("SELECT content FROM messages WHERE session_id = ?1 AND role = 'user'", [...sessions][0]);
    assert.ok(sessions.size >= 1 && history.length === 2, "no history holds two branches");
  });
});

describe("a conversation", () => {
  test("is_a_session", async () => {
    const { body: conversation } = await call(stack, "POST", "/conversations", { metadata: { a: "b" } });
    assert.deepEqual(Object.keys(conversation), ["id", "object", "created_at", "metadata"]);
    const session = await call(stack, "GET", `/sessions/${conversation.id}`);
    assert.deepEqual([session.status, session.body.metadata], [200, { a: "b" }]);
    await create({ conversation: conversation.id });
    assert.equal((await call(stack, "GET", `/conversations/${conversation.id}/items`)).body.data.length, 2);
    for (const [change, expected] of [[{}, { a: "b" }], [{ metadata: { c: "d" } }, { c: "d" }], [{ metadata: null }, {}]]) {
      const changed = await call(stack, "POST", `/conversations/${conversation.id}`, change);
      assert.deepEqual([changed.status, changed.body.metadata], [200, expected]);
    }
    const unknown = await postResponse(stack, { model: MODEL, input: "a", conversation: "ses_01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    await expectError(unknown, 404);
    assert.equal((await call(stack, "POST", "/conversations", { items: [{ role: "user", content: "a" }] })).body.error.param, "items");
  });

  test("lists_the_turns_of_every_surface", async () => {
    const { body: conversation } = await call(stack, "POST", "/conversations", {});
    const blocks = [{ type: "text", text: "one", cache_control: { type: "ephemeral" } }, { type: "image", source: { type: "url", url: "https://images.example/a.png" } }];
    const message = await postMessage(stack, messageBody({ messages: [{ role: "user", content: blocks }] }), { headers: { "x-session-id": conversation.id } });
    assert.equal(message.status, 200, await message.text());
    const { body } = await call(stack, "GET", `/conversations/${conversation.id}/items?order=asc`);
    assert.deepEqual(body.data.map(({ content }) => content.map(({ type }) => type)), [["input_text", "input_image"], ["output_text"]]);
    assert.equal(body.data[0].content[0].text, "one");
  });

  test("of_long_messages_is_listed_to_its_end_in_both_orders", async () => {
    const { body: conversation } = await call(stack, "POST", "/conversations", {});
    // Two messages are longer than a page.
    for (const at of [1, 2, 3]) await create({ input: `${at}${"x".repeat(700_000)}`, model: LONG_MODEL, truncation: "auto", conversation: conversation.id });
    for (const order of ["asc", "desc"]) {
      const seen = [];
      for (let [after, hasMore] = ["", true]; hasMore; ) {
        const { status, body } = await call(stack, "GET", `/conversations/${conversation.id}/items?order=${order}${after}`);
        assert.equal(status, 200, JSON.stringify(body).slice(0, 300));
        assert.ok(body.data.length > 0, "clients stop at an empty page");
        seen.push(...body.data.map(({ role, content }) => `${role} ${content[0].text[0]}`));
        [after, hasMore] = [`&after=${body.last_id}`, body.has_more];
      }
      const expected = [1, 2, 3].flatMap((at) => [`user ${at}`, "assistant H"]);
      assert.deepEqual(seen, order === "asc" ? expected : expected.reverse());
    }
  });

  test("is_only_read_without_store", async () => {
    const { body: conversation } = await call(stack, "POST", "/conversations", {});
    await create({ input: "one", conversation: conversation.id });
    stack.upstream.next(completionOrStream({ content: "Unseen." }));
    await create({ input: "two", conversation: conversation.id, store: false });
    assert.deepEqual(stack.upstream.lastBody.messages.map(({ content }) => content), ["one", "Hello there.", "two"]);
    assert.equal((await call(stack, "GET", `/conversations/${conversation.id}/items`)).body.data.length, 2);
  });
});

describe("attack 63: references to items", () => {
  test("attack_63_a_short_body_cannot_refer_to_more_than_a_body_may_have", async () => {
    stack.upstream.next(completionOrStream({ content: "y".repeat(400_000) }));
    const { body: long } = await create({});
    const reference = { type: "item_reference", id: long.output[0].id };
    const body = (count) => ({ model: LONG_MODEL, input: [...Array(count).fill(reference), { role: "user", content: "Hi" }], store: false });
    const before = stack.upstream.requests.length;
    for (const count of [11, 40_000]) {
      await expectError(await postResponse(stack, body(count)), 413, { code: "request_too_large", param: "input" });
      const counted = await call(stack, "POST", "/responses/input_tokens", body(count));
      assert.deepEqual([counted.status, counted.body.error?.param], [413, "input"]);
    }
    assert.equal(stack.upstream.requests.length, before);
    const response = await postResponse(stack, body(3));
    assert.equal(response.status, 200, await response.text());
    // A request over the rate is refused before items are read.
    const { tenant_id: tenant, secret_key: key } = stack.tenants[2];
    await stack.updateSettings(tenant, { limits: { requests_per_minute: 1, burst: 2 } });
    for (let count = 0; count < 4; count += 1) await (await postResponse(stack, body(3), { key })).arrayBuffer();
    await expectError(await postResponse(stack, body(3), { key }), 429, { code: "rate_limit_exceeded" });
    assert.equal(stack.upstream.lastBody.messages.filter(({ role }) => role === "assistant").length, 3);
  });
});

describe("a history that may not be shortened", () => {
  test("is_an_error_if_it_does_not_fit", async () => {
    const text = "many words ".repeat(9000);
    const { body: first } = await create({ input: text });
    const fits = (truncation) => postResponse(stack, { model: MODEL, input: text, previous_response_id: first.id, max_output_tokens: 100, truncation });
    await expectError(await fits("disabled"), 400, { code: "context_length_exceeded", param: "truncation" });
    const response = await fits("auto");
    assert.equal(response.status, 200, await response.text());
    assert.equal(response.headers.get("x-clawless-history-dropped"), "2");
  });
});
