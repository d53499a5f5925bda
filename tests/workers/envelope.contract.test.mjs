// What all responses have in common: the error envelope, the request id and CORS;
// and the supported methods and paths.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { assertEnvelope, assertRequestId, chatBody, complete, completeStream, expectError, MODEL, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

function send(path, { method = "GET", key = stack.key, headers = {} } = {}) {
  return fetch(`${stack.url}${path}`, { method, headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers } });
}

describe("errors", () => {
  test("an_unknown_path_is_a_404_in_the_envelope", async () => {
    for (const path of ["/", "/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/chat/completions/more", "/v2/chat/completions", "/favicon.ico"]) {
      await expectError(await send(path), 404, { type: "invalid_request_error" });
    }
  });

  test("a_known_path_with_a_wrong_method_is_a_405_with_an_allow_header", async () => {
    for (const [path, allowed, wrong] of [
      ["/v1/chat/completions", "POST", ["GET", "PUT", "PATCH", "DELETE"]],
      ["/v1/models", "GET", ["POST", "PUT", "DELETE"]],
      [`/v1/models/${MODEL}`, "GET", ["POST", "PUT", "DELETE"]],
      ["/health", "GET", ["POST", "DELETE"]],
    ]) {
      for (const method of wrong) {
        const response = await send(path, { method });
        assert.match(response.headers.get("allow") ?? "", new RegExp(`\\b${allowed}\\b`), `${method} ${path}`);
        await expectError(response, 405);
      }
    }
  });

  test("a_missing_key_is_a_401_with_the_message_that_clients_expect", async () => {
    const error = await expectError(await postChat(stack, chatBody(), { key: null }), 401, { type: "invalid_request_error" });
    assert.match(error.message, /API key/);
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("a_wrong_key_is_a_401_invalid_api_key", async () => {
    const flipped = stack.key.slice(0, -1) + (stack.key.endsWith("a") ? "b" : "a");
    for (const key of [flipped, "cl_sk_", "sk-not-ours", `${stack.key}x`, "' OR 1=1 --"]) {
      const error = await expectError(await postChat(stack, chatBody(), { key }), 401, { code: "invalid_api_key" });
      assert.match(error.message, /^Incorrect API key provided/);
      assert.ok(!error.message.includes(stack.key), "a key is never repeated in full");
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("a_key_in_the_query_does_not_authenticate", async () => {
    const response = await fetch(`${stack.url}/v1/models?api_key=${stack.key}&key=${stack.key}`);
    await expectError(response, 401);
  });

  test("a_known_key_in_another_scheme_is_a_401", async () => {
    for (const authorization of [`Basic ${Buffer.from(`x:${stack.key}`).toString("base64")}`, stack.key, `Token ${stack.key}`, "Bearer", "Bearer "]) {
      await expectError(await send("/v1/models", { key: null, headers: { authorization } }), 401);
    }
  });

  test("an_unknown_model_is_a_404_model_not_found_before_the_model_server_is_called", async () => {
    const error = await expectError(await postChat(stack, chatBody({ model: "no-such-model" })), 404, {
      code: "model_not_found",
      param: "model",
      type: "invalid_request_error",
    });
    assert.match(error.message, /no-such-model/);
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("each_mistake_in_the_messages_is_a_400_that_names_them", async () => {
    const user = { role: "user", content: "hi" };
    for (const messages of [
      undefined,
      null,
      [],
      {},
      "hi",
      ["hi"],
      [{}],
      [{ content: "hi" }],
      [{ role: "wizard", content: "hi" }],
      [{ role: "user" }],
      [{ role: "user", content: 5 }],
      [{ role: "user", content: [] }],
      [{ role: "user", content: [{ type: "hologram" }] }],
      [{ role: "user", content: [{ type: "text" }] }],
      [user, { role: "tool", content: "42" }],
    ]) {
      const response = await postChat(stack, chatBody({ messages }));
      assert.equal(response.status, 400, JSON.stringify(messages));
      const error = await expectError(response, 400, { type: "invalid_request_error" });
      assert.ok(error.param?.startsWith("messages"), `${JSON.stringify(messages)} names ${error.param}`);
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("a_body_with_an_identity_or_a_limit_is_rejected_by_its_name", async () => {
    // Receipts of earlier calls may still be written.
    const rows = async () => ({ ...(await stack.rowCounts()), receipts: undefined });
    const before = await rows();
    for (const field of ["tenant_id", "role", "quota"]) {
      await expectError(await postChat(stack, chatBody({ [field]: "x" }), { headers: { "x-session-id": "never-made" } }), 400, { param: field });
    }
    assert.equal(stack.upstream.requests.length, 0);
    assert.deepEqual(await rows(), before);
  });

  test("an_unknown_member_is_ignored_as_openai_does", async () => {
    const { body } = await complete(stack, { a_member_of_the_future: { deep: [1] } });
    assert.equal(body.choices[0].message.content, "Hello there.");
  });

  test("every_error_has_its_own_message", async () => {
    const bodies = ["{", chatBody({ messages: [] }), chatBody({ model: "no-such-model" }), chatBody({ max_tokens: -1 }), chatBody({ messages: [{ role: "wizard", content: "" }] })];
    const messages = new Set();
    for (const body of bodies) messages.add((await (await postChat(stack, body)).json()).error.message);
    assert.equal(messages.size, bodies.length);
  });
});

describe("request ids", () => {
  test("every_response_has_one_and_no_two_are_equal", async () => {
    const responses = [
      await send("/health", { key: null }),
      await send("/v1/models"),
      await send("/v1/models", { method: "OPTIONS" }),
      await send("/v1/models", { method: "HEAD" }),
      await send("/nothing"),
      await send("/v1/models", { key: "wrong" }),
      await send("/admin/health", { key: null }),
      (await complete(stack, {})).response,
      (await completeStream(stack, {})).response,
      await postChat(stack, "{"),
    ];
    for (const response of responses) {
      assertRequestId(response);
      await response.body?.cancel().catch(() => {});
    }
    assert.equal(new Set(responses.map((response) => response.headers.get("x-request-id"))).size, responses.length);
  });

  test("a_request_id_from_the_caller_is_ignored", async () => {
    const forged = "req_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const response = await send("/v1/models", { headers: { "x-request-id": forged } });
    assertRequestId(response);
    assert.notEqual(response.headers.get("x-request-id"), forged);
  });
});

describe("CORS", () => {
  const ORIGIN = "https://app.example";

  test("a_preflight_for_v1_needs_no_key", async () => {
    const response = await send("/v1/chat/completions", {
      method: "OPTIONS",
      key: null,
      headers: {
        origin: ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-session-id,idempotency-key,x-stainless-lang",
      },
    });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
    assert.match(response.headers.get("access-control-allow-methods"), /\bPOST\b/);
    const allowed = response.headers.get("access-control-allow-headers").toLowerCase().split(/\s*,\s*/);
    for (const name of ["authorization", "content-type", "x-session-id", "idempotency-key", "x-stainless-lang"]) {
      assert.ok(allowed.includes(name), `${name} is not among ${allowed}`);
    }
    assert.equal(await response.text(), "");
  });

  test("pages_can_read_responses_and_errors", async () => {
    const headers = { origin: ORIGIN };
    for (const response of [
      await send("/v1/models", { headers }),
      await postChat(stack, chatBody(), { headers }),
      await postChat(stack, chatBody({ stream: true }), { headers }),
      await postChat(stack, "{", { headers }),
      await postChat(stack, chatBody(), { key: null, headers }),
      await send("/v1/nothing", { headers }),
    ]) {
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      assert.equal(response.headers.get("access-control-allow-credentials"), null);
      const exposed = response.headers.get("access-control-expose-headers")?.toLowerCase() ?? "";
      assert.ok(exposed.includes("x-request-id") && exposed.includes("x-session-id"), `exposed: ${exposed}`);
      await response.body.cancel();
    }
  });

  test("no_CORS_headers_outside_v1", async () => {
    for (const path of ["/health", "/admin/health"]) {
      const response = await send(path, { key: null, headers: { origin: ORIGIN } });
      assert.equal(response.headers.get("access-control-allow-origin"), null, path);
      await response.body.cancel();
    }
  });
});

describe("methods", () => {
  test("OPTIONS_needs_neither_a_key_nor_an_origin", async () => {
    const response = await send("/v1/chat/completions", { method: "OPTIONS", key: null });
    assert.equal(response.status, 204);
    assert.match(response.headers.get("access-control-allow-methods") ?? "", /\bPOST\b/);
  });

  test("HEAD_is_GET_without_a_body", async () => {
    for (const path of ["/health", "/v1/models", `/v1/models/${MODEL}`]) {
      const [got, head] = [await send(path), await send(path, { method: "HEAD" })];
      assert.equal(got.status, 200, path);
      assert.equal(head.status, 200, path);
      assert.equal(head.headers.get("content-type"), got.headers.get("content-type"));
      assert.equal(await head.text(), "");
      await got.body.cancel();
    }
  });
});

describe("models", () => {
  test("the_list_has_openais_format", async () => {
    const response = await send("/v1/models");
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /^application\/json\b/);
    const body = await response.json();
    assert.deepEqual(Object.keys(body).sort(), ["data", "object"]);
    assert.equal(body.object, "list");
    for (const model of body.data) {
      assert.deepEqual(Object.keys(model).sort(), ["created", "id", "object", "owned_by"]);
      assert.equal(model.object, "model");
      assert.ok(Number.isInteger(model.created));
      assert.equal(typeof model.owned_by, "string");
    }
    assert.deepEqual(body.data.map((model) => model.id).sort(), ["auto", MODEL]);
  });

  test("one_model_is_the_same_as_in_the_list", async () => {
    const { data } = await (await send("/v1/models")).json();
    for (const model of data) assert.deepEqual(await (await send(`/v1/models/${model.id}`)).json(), model);
  });

  test("an_unknown_model_is_a_404_model_not_found", async () => {
    await expectError(await send("/v1/models/no-such-model"), 404, { code: "model_not_found" });
  });

  test("models_need_a_key", async () => {
    await expectError(await send("/v1/models", { key: null }), 401);
    await expectError(await send(`/v1/models/${MODEL}`, { key: null }), 401);
  });

  test("private_responses_are_not_cached", async () => {
    const response = await send("/v1/models");
    assert.match(response.headers.get("cache-control") ?? "", /\bno-store\b/);
    await response.body.cancel();
  });
});

describe("health", () => {
  test("it_lists_each_dependency_and_no_secret", async () => {
    const response = await send("/health", { key: null });
    assert.equal(response.status, 200);
    const text = await response.text();
    const body = JSON.parse(text);
    assert.equal(body.status, "ok");
    for (const dependency of ["database", "cache", "admin", "widget"]) {
      assert.equal(body.dependencies?.[dependency]?.status ?? body.dependencies?.[dependency], "ok", `${dependency} in ${text}`);
    }
    for (const secret of [stack.key, stack.tenants[0].tenant_id, stack.upstream.baseUrl]) assert.ok(!text.includes(secret));
  });

  test("admin_is_reached_through_its_binding_and_requires_an_admin_token", async () => {
    for (const [key, status] of [[null, 401], [stack.key, 403], ["cl_admin_wrong", 401]]) {
      for (const path of ["/admin/health", "/admin/tenants", "/admin/anything"]) await expectError(await send(path, { key }), status);
    }
  });
});

test("a_provider_error_is_reported_without_its_text", async () => {
  const { failure, PROVIDER_SECRET } = await import("../harness/behaviours.mjs");
  stack.upstream.always(failure(500));
  const response = await postChat(stack, chatBody());
  const text = await response.text();
  assert.ok(response.status >= 500, text);
  assertEnvelope(JSON.parse(text));
  assert.ok(!text.includes(PROVIDER_SECRET), text);
});
