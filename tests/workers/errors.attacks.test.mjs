// Attack 57: internal errors are logged with the request id and never sent to clients.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { events, failure, json, PROVIDER_SECRET } from "../harness/behaviours.mjs";
import { chatBody, expectError, postChat, postChatWhile } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** Texts of a database, its driver, a stack trace or our source code. */
const INNER = /SQL|D1_|no such|table|column|sessions_away|constraint|prepare|\.rs\b|\.js\b|wasm|    at |panick/i;

/** The log lines of a request that contain the internal reason of a failure. */
const reasons = (response) => stack.logs.map(({ message }) => message).filter((line) => line.includes(response.headers.get("x-request-id")) && line.includes('"internal"'));

describe("attack 57: a database that fails", () => {
  const call = (method, path, body) => fetch(`${stack.url}${path}`, { method, headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" }, body });

  before(async () => {
    assert.equal((await call("GET", "/v1/sessions")).status, 200, "the key is cached before the failure");
    await stack.rows("ALTER TABLE sessions RENAME TO sessions_away");
  });
  after(() => stack.rows("ALTER TABLE sessions_away RENAME TO sessions"));

  for (const [method, path, body] of [
    ["GET", "/v1/sessions"],
    ["POST", "/v1/sessions", "{}"],
    ["GET", "/v1/sessions/one"],
    ["PATCH", "/v1/sessions/one", '{"title":"x"}'],
    ["DELETE", "/v1/sessions/one"],
    ["GET", "/v1/sessions/one/export"],
    ["POST", "/v1/conversations", "{}"],
    ["GET", "/v1/conversations/one"],
    ["POST", "/v1/conversations/one", '{"metadata":{}}'],
    ["DELETE", "/v1/conversations/one"],
    ["GET", "/v1/conversations/one/items"],
    ["GET", "/v1/responses/resp_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
    ["DELETE", "/v1/responses/resp_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
    ["GET", "/v1/responses/resp_01ARZ3NDEKTSV4RRFFQ69G5FAV/input_items"],
  ]) {
    test(`${method}_${path}_is_a_generic_500_with_its_reason_in_the_log`, async () => {
      const response = await call(method, path, body);
      const error = await expectError(response, 500, { code: "internal_error", type: "server_error", param: null });
      assert.doesNotMatch(error.message, INNER);
      await until(() => /no such table/.test(reasons(response).join("\n")), "the log has the reason under the request id");
    });
  }
});

describe("attack 57: a provider that fails", () => {
  const html = async (_request, response) => response.writeHead(502, { "content-type": "text/html" }).end(`<html>${PROVIDER_SECRET} at server.py line 3</html>`);
  const behaviours = {
    ...Object.fromEntries([401, 403, 404, 429, 500, 503].map((status) => [`status_${status}`, failure(status)])),
    a_page: html,
    an_error_with_status_200: json(200, { error: { message: PROVIDER_SECRET, code: PROVIDER_SECRET, type: PROVIDER_SECRET, param: PROVIDER_SECRET } }),
    invalid_JSON: async (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end(`{"${PROVIDER_SECRET}`),
  };

  test("a_request_that_it_rejects_gets_the_providers_message_and_nothing_else_of_its_body", async () => {
    const message = `Your request is wrong.\r\n<b>\u001b[31m${"x".repeat(5_000)}`;
    const error = { message, type: PROVIDER_SECRET, code: PROVIDER_SECRET, param: null, stack: PROVIDER_SECRET };
    for (const status of [400, 422]) {
      stack.upstream.always(json(status, { error, debug: PROVIDER_SECRET }));
      const response = await postChat(stack, chatBody());
      const headers = JSON.stringify([...response.headers]);
      const received = await expectError(response, 400, { type: "invalid_request_error" });
      assert.ok(received.message.startsWith("Your request is wrong.") && received.message.length <= 500, received.message);
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(received.message, /[\u0000-\u001f\u007f]/);
      assert.ok(!JSON.stringify([received, headers]).includes(PROVIDER_SECRET), JSON.stringify(received));
    }
  });

  test("an_error_in_the_middle_of_a_stream_is_reported_in_our_own_words", async () => {
    stack.upstream.always(events((request) => [
      { id: "x", object: "chat.completion.chunk", created: 1, model: request.body.model, choices: [{ index: 0, delta: { role: "assistant", content: "Hel" }, finish_reason: null }] },
      { error: { message: PROVIDER_SECRET, type: PROVIDER_SECRET, code: PROVIDER_SECRET } },
    ]));
    const response = await postChat(stack, chatBody({ stream: true }));
    const text = await response.text();
    assert.match(text, /"error":/);
    assert.ok(!text.includes(PROVIDER_SECRET), text);
  });

  for (const [name, behaviour] of Object.entries(behaviours)) {
    test(`${name}_is_reported_in_our_own_words`, async () => {
      for (const stream of [false, true]) {
        const response = await postChatWhile(stack, behaviour, { stream });
        const headers = JSON.stringify([...response.headers]);
        const { message, ...rest } = await expectError(response, response.status);
        assert.ok(response.status >= 400, `${response.status}`);
        assert.doesNotMatch(message, INNER);
        for (const text of [message, headers, JSON.stringify(rest)]) assert.ok(!text.includes(PROVIDER_SECRET), text);
      }
    });
  }
});
