// Attack 65: JSON of the wrong shape. An array is never accepted as an object, and errors name members of the API,
// never types of the implementation. Every value of every request body is replaced by values of other types.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { chatBody, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { createSite, PNG, SITE } from "../harness/widget.mjs";

let stack;
before(async () => {
  stack = await startStack();
  await stack.updateSettings(stack.tenants[0].tenant_id, { limits: { requests_per_minute: null, burst: null, concurrent: null } });
});
after(() => stack.stop());

/** What no error may contain: types of the implementation and positions in the text. */
const IMPLEMENTATION = /\bstruct\b|\benum\b|\bvariant|\btuple\b|\bu(8|16|32|64)\b|\bi(8|16|32|64)\b|\bf(32|64)\b|\busize\b|::|line \d+|sequence|\bmap\b|\boption\b|[a-z][A-Z]\w*(Body|View|Request|Input|Settable|Wire)\b/;

/** The values that replace a value of another type. */
const OTHERS = [null, true, 7, 1.5, -3, "text", [], ["text"], [1, 2], {}, { a: 1 }];

const tool = { type: "function", function: { name: "f", description: "d", parameters: { type: "object" }, strict: true } };
const chat = {
  ...chatBody(),
  temperature: 0.5, top_p: 0.5, n: 1, max_tokens: 5, stop: ["x"], presence_penalty: 0.5, frequency_penalty: 0.5, seed: 7, logprobs: false,
  logit_bias: { 1: 5 }, response_format: { type: "text" }, tools: [tool, { type: "custom", custom: { name: "c" } }], tool_choice: "auto",
  parallel_tool_calls: true, reasoning_effort: "low", verbosity: "low", service_tier: "auto", modalities: ["text"],
  prediction: { type: "content", content: "x" }, store: false, metadata: { a: "b" }, user: "u", safety_identifier: "u", prompt_cache_key: "k",
  stream: true, stream_options: { include_usage: true, include_obfuscation: false },
  messages: [
    { role: "system", content: "s" },
    { role: "user", name: "n", content: [{ type: "text", text: "t" }, { type: "image_url", image_url: { url: "https://x.example/a.png", detail: "low" } }] },
    { role: "assistant", content: null, refusal: null, tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }] },
    { role: "tool", tool_call_id: "c", content: "r" },
  ],
};
const legacy = { ...chatBody(), functions: [{ name: "f", parameters: {} }], function_call: { name: "f" }, messages: [{ role: "assistant", function_call: { name: "f", arguments: "{}" } }, { role: "function", name: "f", content: "c" }] };
const response = {
  model: "scripted-model", instructions: "s", stream: true, stream_options: { include_obfuscation: false }, tool_choice: "auto",
  tools: [{ type: "function", name: "f", description: "d", parameters: { type: "object" }, strict: true }, { type: "custom", name: "c", format: { type: "grammar", syntax: "lark", definition: "a" } }],
  text: { format: { type: "json_schema", name: "s", schema: { type: "object" }, strict: true }, verbosity: "low" }, reasoning: { effort: "low", summary: "auto" },
  truncation: "auto", max_output_tokens: 20, max_tool_calls: 2, parallel_tool_calls: true, metadata: { a: "b" }, include: ["reasoning.encrypted_content"],
  service_tier: "auto", prompt_cache_key: "k", safety_identifier: "u", user: "u", temperature: 0.5, top_p: 0.5, top_logprobs: 0, store: false, background: false,
  input: [
    { role: "user", content: [{ type: "input_text", text: "t" }, { type: "input_image", image_url: "https://x.example/a.png", detail: "low" }, { type: "input_file", filename: "a", file_data: "data:text/plain;base64,YQ==" }] },
    { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "s" }] },
    { role: "assistant", content: [{ type: "output_text", text: "a", annotations: [] }] },
    { type: "function_call", call_id: "c", name: "f", arguments: "{}" },
    { type: "function_call_output", call_id: "c", output: [{ type: "input_text", text: "r" }] },
    { type: "custom_tool_call", call_id: "d", name: "c", input: "i" },
    { type: "custom_tool_call_output", call_id: "d", output: "r" },
  ],
};
const countedResponse = (({ stream: _stream, stream_options: _options, ...fields }) => fields)(response);
const counted = {
  model: "scripted-model", system: [{ type: "text", text: "s", cache_control: { type: "ephemeral" } }], tool_choice: { type: "auto" }, thinking: { type: "disabled" },
  tools: [{ name: "f", description: "d", input_schema: { type: "object" } }],
  messages: [
    { role: "user", content: [{ type: "text", text: "t" }, { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } }, { type: "document", title: "t", source: { type: "text", media_type: "text/plain", data: "d" } }] },
    { role: "assistant", content: [{ type: "thinking", thinking: "t", signature: "s" }, { type: "tool_use", id: "c", name: "f", input: { a: 1 } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "c", is_error: false, content: [{ type: "text", text: "r" }] }] },
  ],
};
const message = { ...counted, max_tokens: 20, stop_sequences: ["x"], stream: true, temperature: 0.5, top_p: 0.5, top_k: 5, metadata: { user_id: "u" }, service_tier: "auto" };
const session = { title: "t", metadata: { a: "b" }, system_prompt: "s", model: "m", thinking_level: "low", tools: ["time_now"], time_zone: "UTC", ttl: 3600 };
const tenant = {
  name: "n", tier: "pro", status: "active", limits: { requests_per_minute: 1, burst: 1, concurrent: 1 },
  quotas: { messages_per_month: 1, tokens_per_month: 1, micro_dollars_per_month: 1 }, default_model: "m", thinking: "low", allowed_models: ["m"],
  system_prompt: "s", tools: ["time_now"], fallback: { chat: ["m"] }, retention_days: 1,
};
const expiresAt = Math.floor(Date.now() / 1000) + 86_400;

/** Every value of a JSON value: its path, and the body with another value in its place. */
function* replacements(value, path = []) {
  yield path;
  if (value !== null && typeof value === "object") for (const [name, member] of Object.entries(value)) yield* replacements(member, [...path, name]);
}

function valueAt(body, path) {
  return path.reduce((value, name) => value[name], body);
}

function replaced(body, path, other) {
  if (path.length === 0) return other;
  const copy = structuredClone(body);
  valueAt(copy, path.slice(0, -1))[path.at(-1)] = other;
  return copy;
}

let addresses = 0;
/** A client address of its own: sessions of the widget count per address. */
const manyAddresses = () => ({ "cf-connecting-ip": `198.51.${(addresses += 1) >> 8}.${addresses & 255}` });

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/**
 * Sends a body with each of its values replaced. `free` are paths below which any JSON is valid. `send` returns the
 * status and the parsed body of the response.
 */
async function attack(body, send, { free = [] } = {}) {
  let rejected = 0;
  for (const path of replacements(body)) {
    const original = valueAt(body, path);
    const name = path.join(".");
    const isFree = free.some((prefix) => name.startsWith(prefix));
    const others = isObject(original) ? [Object.values(original), ...OTHERS] : OTHERS;
    for (const other of others) {
      const { status, body: response } = await send(replaced(body, path, other));
      const attempt = `${name} = ${JSON.stringify(other)}: ${status} ${JSON.stringify(response)}`;
      assert.ok(status < 500, attempt);
      const isArrayForObject = Array.isArray(other) && isObject(original) && !isFree;
      if (isArrayForObject) assert.equal(status, 400, attempt);
      if (status < 400) continue;
      rejected += 1;
      assert.doesNotMatch(response.error.message, IMPLEMENTATION, attempt);
      if (status === 400 && path.length > 0) assert.ok(response.error.param, attempt);
    }
  }
  assert.ok(rejected > 0);
}

describe("attack 65: JSON of the wrong shape", () => {
  for (const [name, body] of Object.entries({ chat, legacy })) {
    test(`attack_65_in_a_chat_request_an_array_is_no_object_and_errors_name_parameters (${name})`, async () => {
      const send = async (changed) => {
        const response = await postChat(stack, JSON.stringify(changed));
        const text = await response.text();
        return { status: response.status, body: response.status < 400 ? undefined : JSON.parse(text) };
      };
      await attack(body, send);
    });
  }

  for (const [path, body, free] of [
    ["responses", response, ["tools.0.parameters", "text.format.schema"]], ["responses/input_tokens", countedResponse, ["tools.0.parameters", "text.format.schema"]],
    ["messages", message, ["tools.0.input_schema", "messages.1.content.1.input"]], ["messages/count_tokens", counted, ["tools.0.input_schema", "messages.1.content.1.input"]],
    ["conversations", { metadata: { a: "b" }, items: [] }], ["conversations/one", { metadata: { a: "b" } }],
    ["widget/session", { conversation: null, visitor_secret: null, user_token: null, widget_version: "1" }],
  ]) {
    test(`attack_65_in_a_request_an_array_is_no_object_and_errors_name_parameters (${path})`, async () => {
      const site = path === "widget/session" ? await createSite(stack) : undefined;
      await fetch(`${stack.url}/v1/sessions`, { method: "POST", headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" }, body: '{"id":"one"}' });
      const send = async (changed) => {
        const headers = { authorization: `Bearer ${site?.key ?? stack.key}`, "content-type": "application/json", origin: SITE, ...(site ? manyAddresses() : {}) };
        const response = await fetch(`${stack.url}/v1/${path}`, { method: "POST", headers, body: JSON.stringify(changed) });
        const text = await response.text();
        if (response.status < 400) return { status: response.status };
        const { error } = JSON.parse(text);
        // Anthropic's form has no member for the parameter: the text names it.
        const param = path.startsWith("messages") ? /`[^`]+`/u.exec(error.message)?.[0] : error.param;
        return { status: response.status, body: { error: { ...error, param } } };
      };
      await attack(body, send, { free });
    });
  }

  test("attack_65_messages_as_arrays_never_reach_the_model", async () => {
    stack.upstream.reset();
    for (const message of [["user", "hi"], ["user", "hi", null, null], [], [{ role: "user", content: "hi" }]]) {
      await expectError(await postChat(stack, chatBody({ messages: [message] })), 400, { param: "messages[0]" });
    }
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("attack_65_in_session_requests_an_array_is_no_object_and_errors_name_parameters", async () => {
    const call = async (method, path, changed) => {
      const response = await fetch(`${stack.url}/v1/sessions${path}`, { method, headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" }, body: JSON.stringify(changed) });
      return { status: response.status, body: await response.json() };
    };
    await attack(session, (changed) => call("POST", "", changed));
    const { body: created } = await call("POST", "", {});
    await attack(session, (changed) => call("PATCH", `/${created.id}`, changed));
  });

  test("attack_65_in_admin_requests_an_array_is_no_object_and_errors_name_parameters", async () => {
    // An address and a token have a rate each.
    let [addresses, token] = [0, undefined];
    const call = (method, path) => async (changed) => {
      const headers = { "cf-connecting-ip": `198.51.${addresses >> 8}.${addresses & 255}` };
      if (addresses % 200 === 0) {
        const { body } = await stack.admin("POST", "/tokens", JSON.stringify({ name: "attack 65", role: "owner" }), { headers });
        token = body.token;
      }
      addresses += 1;
      return stack.admin(method, path, JSON.stringify(changed), { headers, token });
    };
    const before = await stack.rows("SELECT count(*) AS count FROM tenants");
    assert.equal((await call("POST", "/tenants")(["Arr", "pro"])).status, 400);
    assert.deepEqual(await stack.rows("SELECT count(*) AS count FROM tenants"), before);
    const { body: created } = await call("POST", "/tenants")({ name: "victim" });
    const path = `/tenants/${created.id}`;
    await attack(tenant, call("PUT", path));
    await attack(tenant, call("PATCH", path));
    await attack(tenant, call("POST", "/tenants"));
    await attack({ name: "n", kind: "public", scopes: ["chat"], allowed_origins: ["https://x.example"], expires_at: expiresAt }, call("POST", `${path}/keys`));
    const { body: key } = await call("POST", `${path}/keys`)({ name: "n", scopes: ["chat"] });
    await attack({ grace_seconds: 5 }, call("POST", `${path}/keys/${key.id}/rotate`));
    await attack({ name: "n", role: "owner", expires_at: expiresAt }, call("POST", "/tokens"));
    const { body: minted } = await call("POST", "/tokens")({ name: "n", role: "viewer" });
    await attack({ name: "n", role: "owner", expires_at: expiresAt }, call("PATCH", `/tokens/${minted.id}`));
    await attack({ name: "n", scopes: ["chat"], expires_at: expiresAt, limits: { requests_per_minute: 5, burst: 5, concurrent: 5 } }, call("PATCH", `${path}/keys/${key.id}`));
    const { body: page } = await call("POST", `${path}/keys`)({ name: "n", kind: "public", allowed_origins: ["https://x.example"] });
    const { body: { object: _object, key_id: _key, logo: _logo, users: _users, ...widget } } = await call("GET", `${path}/keys/${page.id}/widget`)();
    await attack(widget, call("PATCH", `${path}/keys/${page.id}/widget`));
    await attack({ media_type: "image/png", data: PNG }, call("PUT", `${path}/keys/${page.id}/widget/logo`));
    for (const empty of [`${path}/keys/${key.id}/revoke`, `${path}/erase`, path]) {
      const method = empty === path ? "DELETE" : "POST";
      const { status, body } = await call(method, empty)([]);
      assert.equal(status, 400, JSON.stringify(body));
      assert.doesNotMatch(body.error.message, IMPLEMENTATION);
    }
  });
});
