// The messages surface beside its answers: keys, versions, error envelopes, models, token counts.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { chunk, events, stream } from "../harness/behaviours.mjs";
import { MODEL, postChat, chatBody } from "../harness/client.mjs";
import { expectMessageError, messageBody, postMessage, streamMessage, VERSION } from "../harness/messages-client.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => {
  stack = await startStack({
    tenants: 2,
    vars: (upstream) => {
      const [model] = upstream.provider().models;
      return { PROVIDERS: JSON.stringify([upstream.provider({ models: [{ ...model, roles: ["fast"] }] })]) };
    },
  });
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const answer = async (response) => {
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return body;
};

describe("a key", () => {
  test("is_read_from_x_api_key_and_from_a_bearer_token_on_every_route", async () => {
    const bearer = { authorization: `Bearer ${stack.key}` };
    await answer(await postMessage(stack, messageBody()));
    await answer(await postMessage(stack, messageBody(), { key: undefined, headers: bearer }));
    await answer(await postChat(stack, chatBody(), { key: undefined, headers: { "x-api-key": stack.key } }));
    await answer(await fetch(`${stack.url}/v1/usage`, { headers: { "x-api-key": stack.key } }));
  });

  test("that_is_wrong_or_absent_is_a_401_of_the_surface", async () => {
    for (const key of ["", "cl_sk_wrong"]) await expectMessageError(await postMessage(stack, messageBody(), { key }), 401, "authentication_error");
    const other = { authorization: "Basic abc" };
    await expectMessageError(await postMessage(stack, messageBody(), { headers: other }), 401, "authentication_error");
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("in_the_bearer_token_counts_before_the_one_in_x_api_key", async () => {
    const headers = { authorization: "Bearer cl_sk_wrong" };
    await expectMessageError(await postMessage(stack, messageBody(), { headers }), 401, "authentication_error");
  });
});

describe("an error", () => {
  test("before_the_handler_has_the_envelope_of_the_path", async () => {
    const path = "/v1/messages/batches";
    await expectMessageError(await postMessage(stack, {}, { path }), 404, "not_found_error");
    const response = await postMessage(stack, undefined, { method: "GET" });
    assert.equal(response.headers.get("allow"), "POST, OPTIONS");
    await expectMessageError(response, 405, "invalid_request_error");
    const large = JSON.stringify(messageBody({ system: "x".repeat(5 * 1024 * 1024) }));
    await expectMessageError(await postMessage(stack, large), 413, "request_too_large");
    const headers = { "content-type": "text/plain" };
    await expectMessageError(await postMessage(stack, messageBody(), { headers }), 415, "invalid_request_error");
    await expectMessageError(await postMessage(stack, messageBody(), { path: "/v1/messages?x=1" }), 400, "invalid_request_error");
    const other = await (await fetch(`${stack.url}/v1/nothing`)).json();
    assert.equal(other.error.code, "route_not_found");
  });

  test("of_the_request_names_what_is_wrong", async () => {
    for (const [fields, word] of [
      [{ max_tokens: undefined }, "max_tokens"],
      [{ messages: [] }, "messages"],
      [{ tools: [{ type: "web_search_20250305", name: "web_search" }] }, "web_search_20250305"],
      [{ messages: [{ role: "user", content: [{ type: "hologram" }] }] }, "hologram"],
      [{ quota: 1 }, "quota"],
    ]) {
      const error = await expectMessageError(await postMessage(stack, messageBody(fields)), 400, "invalid_request_error");
      assert.ok(error.message.includes(word), error.message);
    }
    await expectMessageError(await postMessage(stack, "{"), 400, "invalid_request_error");
    await expectMessageError(await postMessage(stack, messageBody({ model: "nothing" })), 404, "not_found_error");
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("is_a_400_for_a_missing_or_unknown_version", async () => {
    for (const [version, word] of [["", "required"], ["2020-01-01", "valid version"]]) {
      const headers = { "anthropic-version": version };
      if (version === "") delete headers["anthropic-version"];
      const response = await fetch(`${stack.url}/v1/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": stack.key, ...headers },
        body: JSON.stringify(messageBody()),
      });
      const error = await expectMessageError(response, 400, "invalid_request_error");
      assert.ok(error.message.includes("anthropic-version") && error.message.includes(word), error.message);
    }
  });

  test("of_the_rate_limit_has_the_wait_and_the_envelope", async () => {
    const [, { tenant_id: tenant, secret_key: key }] = stack.tenants;
    await stack.updateSettings(tenant, { limits: { requests_per_minute: 1, burst: 1, concurrent: null } });
    const responses = await Promise.all([1, 2, 3].map(() => postMessage(stack, messageBody(), { key })));
    const limited = responses.find(({ status }) => status === 429);
    assert.ok(Number(limited.headers.get("retry-after")) > 0);
    await expectMessageError(limited, 429, "rate_limit_error");
  });
});

test("scripts_of_a_browser_may_read_the_request_id", async () => {
  const response = await postMessage(stack, messageBody(), { headers: { origin: "https://app.example" } });
  assert.ok(response.headers.get("access-control-expose-headers").includes("request-id"));
  await answer(response);
});

test("models_have_the_shape_of_the_client_and_aliases_are_among_them", async () => {
  const list = await answer(await postMessage(stack, undefined, { method: "GET", path: "/v1/models?limit=1000" }));
  const ids = list.data.map(({ id }) => id);
  assert.ok(ids.includes(MODEL) && ids.includes("auto") && ids.includes("fast"), `${ids}`);
  assert.deepEqual([list.has_more, list.first_id, list.last_id], [false, ids[0], ids.at(-1)]);
  for (const { id, display_name: name, max_input_tokens: input, max_tokens: output, ...rest } of list.data) {
    const nothing = { capabilities: null, line: null, deprecated_at: null, retires_at: null };
    assert.deepEqual(rest, { type: "model", created_at: "1970-01-01T00:00:00Z", lifecycle: "active", ...nothing });
    assert.equal(name, id);
    for (const limit of [input, output]) assert.ok(limit === null || Number.isInteger(limit), id);
  }
  const first = await answer(await postMessage(stack, undefined, { method: "GET", path: "/v1/models?limit=1" }));
  assert.deepEqual([first.data.length, first.has_more], [1, true]);
  const next = await answer(await postMessage(stack, undefined, { method: "GET", path: `/v1/models?limit=1&after_id=${first.last_id}` }));
  assert.equal(next.first_id, ids[1]);
  const one = await answer(await postMessage(stack, undefined, { method: "GET", path: `/v1/models/${MODEL}` }));
  assert.deepEqual([one.type, one.id, one.max_input_tokens, one.max_tokens], ["model", MODEL, 32768, 4096]);
  const openai = await answer(await fetch(`${stack.url}/v1/models`, { headers: { authorization: `Bearer ${stack.key}` } }));
  assert.equal(openai.object, "list");
  // Others get the whole list, so a page of it is refused.
  for (const name of ["limit", "after_id", "before_id"]) {
    const page = await fetch(`${stack.url}/v1/models?${name}=1`, { headers: { authorization: `Bearer ${stack.key}` } });
    assert.deepEqual([page.status, (await page.json()).error.param], [400, name]);
  }
});

test("tokens_are_counted_without_a_call_of_the_provider", async () => {
  const path = "/v1/messages/count_tokens";
  const count = async (fields) => (await answer(await postMessage(stack, messageBody({ max_tokens: undefined, ...fields }), { path }))).input_tokens;
  const short = await count({});
  const long = await count({ system: "You are a careful assistant. ".repeat(40), tools: [{ name: "f", input_schema: { type: "object" } }] });
  assert.ok(short > 2 && short < 20, `${short}`);
  assert.ok(long > 200 && long < 600, `${long}`);
  assert.equal(stack.upstream.requests.length, 0);
  await expectMessageError(await postMessage(stack, { model: MODEL }, { path }), 400, "invalid_request_error");
  await expectMessageError(await postMessage(stack, messageBody({ model: "nothing" }), { path }), 404, "not_found_error");
});

test("tokens_of_the_system_prompt_are_those_of_its_values", async () => {
  const count = async () => (await answer(await postMessage(stack, messageBody({ max_tokens: undefined, metadata: { user_id: "one two ".repeat(50) } }), { path: "/v1/messages/count_tokens" }))).input_tokens;
  const bare = await count();
  const path = `/tenants/${stack.tenants[0].tenant_id}`;
  assert.equal((await stack.admin("PATCH", path, { system_prompt: "{{user}}" })).status, 200);
  try {
    // A call of a model refreshes the tenant's record, a count uses the one that is known.
    await answer(await postMessage(stack, messageBody()));
    const filled = await count();
    assert.ok(filled > bare + 40, `${bare} and ${filled}: the user's name is longer than its variable`);
  } finally {
    await stack.admin("PATCH", path, { system_prompt: null });
  }
});

test("a_slow_stream_is_kept_alive_by_pings_that_precede_the_message", async () => {
  const slow = await startStack({ vars: { KEEP_ALIVE_MS: "100", EARLY_HEAD_MS: "200" } });
  try {
    slow.upstream.always(events((request) => [chunk(request, { content: "Hi" }), chunk(request, {}, "stop"), "[DONE]"], { delayMs: 0 }));
    const behaviour = stream({ pieces: ["Hi"] });
    slow.upstream.next(async (request, response) => {
      await new Promise((resolve) => setTimeout(resolve, 700));
      await behaviour(request, response);
    });
    const { stream: text, message } = await streamMessage(slow, {});
    assert.ok(text.startsWith("event: ping\n"), text);
    assert.match(text, /^: x-clawless-model: /mu);
    assert.deepEqual(message.content, [{ type: "text", text: "Hi" }]);
  } finally {
    await slow.stop();
  }
});

test("the_version_alone_makes_no_chat_request_a_message", async () => {
  const body = await answer(await postChat(stack, chatBody(), { headers: VERSION }));
  assert.equal(body.object, "chat.completion");
});
