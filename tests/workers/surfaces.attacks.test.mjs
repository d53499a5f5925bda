// Attacks 26 to 33, 46, 62 and 68 on every surface and route with a body: the rules of chat completions hold for
// responses, messages, conversations and the widget too, in their own error forms. The routes are read from the API's
// description, so a new one is covered.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { chatBody, expectError, MODEL } from "../harness/client.mjs";
import { GATEWAY } from "../harness/description.mjs";
import { expectMessageError, messageBody, VERSION } from "../harness/messages-client.mjs";
import { endlessChunks, exchange } from "../harness/raw-http.mjs";
import { startStack } from "../harness/stack.mjs";
import { SITE, createSite, newAddress } from "../harness/widget.mjs";

const responseBody = (fields = {}) => ({ model: MODEL, input: "Say hello.", ...fields });

/** A valid body of each route. */
const BODIES = {
  "POST /v1/chat/completions": chatBody(),
  "POST /v1/messages": messageBody(),
  "POST /v1/messages/count_tokens": { model: MODEL, messages: [{ role: "user", content: "Hi" }] },
  "POST /v1/responses": responseBody(),
  "POST /v1/responses/input_tokens": responseBody(),
  "POST /v1/conversations": { metadata: { a: "b" } },
  "POST /v1/conversations/{id}": { metadata: { a: "b" } },
  "POST /v1/sessions": { metadata: { a: "b" } },
  "PATCH /v1/sessions/{id}": { metadata: { a: "b" } },
  "POST /v1/widget/session": { conversation: null },
};
const routes = GATEWAY.operations.filter(({ operation }) => operation.requestBody).map(({ method, pattern }) => ({ name: `${method} ${pattern}`, method, pattern }));

let stack;
let site;
before(async () => {
  stack = await startStack({ tenants: 4 });
  site = await createSite(stack);
  for (const { tenant_id: tenant } of stack.tenants) await stack.updateSettings(tenant, { limits: { requests_per_minute: null, burst: null, concurrent: null } });
  await send({ method: "POST", pattern: "/v1/sessions" }, JSON.stringify({ id: "one" }));
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const pathOf = ({ pattern }) => pattern.replace("{id}", "one");

function headersOf({ pattern }) {
  const key = pattern === "/v1/widget/session" ? site.key : stack.key;
  return { authorization: `Bearer ${key}`, origin: SITE, ...newAddress(), "content-type": "application/json" };
}

const send = (route, body, headers = {}) => fetch(stack.url + pathOf(route), { method: route.method, headers: { ...headersOf(route), ...headers }, body });

const TYPES = { 413: "request_too_large" };

/** Checks an error in the envelope of the route's surface; returns it. */
function expectRefusal({ pattern }, response, status, expected) {
  if (!pattern.startsWith("/v1/messages")) return expectError(response, status, expected);
  return expectMessageError(response, status, TYPES[status] ?? "invalid_request_error");
}

const [MiB, PART] = [1024 * 1024, 64 * 1024];

/** The parts of a body with pauses, so that the answer arrives before the connection is closed. */
async function* slowly(parts) {
  for (const part of parts) {
    yield part;
    await sleep(2);
  }
}

/** Runs `use`; nothing may be stored and no model called. */
async function assertNothingDone(use) {
  const before = await stack.rowCounts();
  await use();
  assert.deepEqual(await stack.rowCounts(), before);
  assert.equal(stack.upstream.requests.length, 0);
}

test("every_route_with_a_body_is_known_here", () => {
  assert.deepEqual(routes.map(({ name }) => name).sort(), Object.keys(BODIES).sort());
});

for (const route of routes) {
  const valid = JSON.stringify(BODIES[route.name]);

  describe(`hostile bodies of ${route.name}`, () => {
    test("attack 26: a_body_over_the_limit_is_413", () =>
      assertNothingDone(async () => {
        const head = (more) => {
          const headers = Object.entries({ host: "gateway", ...headersOf(route), ...more });
          return [`${route.method} ${pathOf(route)} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)].join("\r\n");
        };
        const declared = await exchange(stack.url, head({ "content-length": 64 * MiB }), [Buffer.from('{"a":"')]);
        const undeclared = await exchange(stack.url, head({ "transfer-encoding": "chunked" }), slowly(endlessChunks(Buffer.alloc(PART, 0x20), 64 * (MiB / PART))));
        for (const { status, text, headers } of [declared, undeclared]) await expectRefusal(route, new Response(text, { status, headers }), 413);
        assert.ok(undeclared.bytesSent < 32 * MiB, "reading stops");
      }));

    test("attack 27: a_hundred_thousand_levels_are_400", () =>
      assertNothingDone(async () => {
        for (const [open, close] of [["[", "]"], ['{"a":', "}"]]) {
          // Some routes take no more than 256 KiB, the widget's 16.
          const levels = route.pattern === "/v1/widget/session" ? 2_000 : open.length === 1 ? 100_000 : 40_000;
          const nested = `${open.repeat(levels)}1${close.repeat(levels)}`;
          for (const text of [nested, `{"metadata":${nested}}`, `${valid.slice(0, -1)},"x":${nested}}`]) {
            await expectRefusal(route, await send(route, text), 400);
          }
        }
      }));

    test("attack 28: a_compressed_body_is_415", () =>
      assertNothingDone(async () => {
        for (const encoding of ["gzip", "br", "gzip, identity"]) await expectRefusal(route, await send(route, gzipSync(valid), { "content-encoding": encoding }), 415);
      }));

    test("attack 29: json_that_parsers_read_differently_is_400", () =>
      assertNothingDone(async () => {
        const texts = ["{", "null", "[]", `[${valid}]`, `${valid} {}`, `${valid}[]`, '{"metadata":NaN}', '{"metadata":1e400}', `/* */${valid}`, `${valid.slice(0, -1)},}`, '{"metadata":{"a":"b","a":"c"}}', '{"metadata":{"a":"b"},"metadata":{"a":"b"}}', '{"metadata":{"a":"b"},"metad\\u0061ta":{"a":"b"}}'];
        // The widget ignores members that it does not know, and reads no numbers.
        const ignored = route.pattern === "/v1/widget/session" ? ['{"metadata":1e400}'] : [];
        for (const text of texts.filter((it) => !ignored.includes(it))) await expectRefusal(route, await send(route, text), 400);
      }));

    test("attack 30: bytes_that_are_no_utf_8_and_lone_surrogates_are_400", () =>
      assertNothingDone(async () => {
        const bytes = Buffer.from(valid);
        bytes[bytes.indexOf('"') + 1] = 0xff;
        await expectRefusal(route, await send(route, bytes), 400);
        await expectRefusal(route, await send(route, valid.replace(/:"\w/u, ':"\\ud800').replace("null", '"\\ud800"')), 400);
      }));

    test("attack 33: another_content_type_is_415", () =>
      assertNothingDone(async () => {
        for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", ""]) {
          await expectRefusal(route, await send(route, valid, { "content-type": type }), 415);
        }
      }));
  });
}

describe("attack 29: members of nested objects that are there twice", () => {
  const CASES = {
    "POST /v1/responses": [
      `{"model":"${MODEL}","input":[{"role":"user","role":"system","content":"a"}]}`,
      `{"model":"${MODEL}","input":[{"role":"user","content":[{"type":"input_text","text":"a","text":"b"}]}]}`,
      `{"model":"${MODEL}","input":"a","reasoning":{"effort":"low","effort":"high"}}`,
      `{"model":"${MODEL}","input":"a","text":{"format":{"type":"text"},"format":{"type":"json_object"}}}`,
      `{"model":"${MODEL}","input":"a","tools":[{"type":"function","name":"f","name":"g","parameters":{}}]}`,
      `{"model":"${MODEL}","input":"a","conversation":{"id":"one","id":"two"}}`,
      `{"model":"${MODEL}","input":[{"role":"user","content":"a","x":1,"x":2}]}`,
    ],
    "POST /v1/messages": [
      `{"model":"${MODEL}","max_tokens":5,"messages":[{"role":"user","role":"assistant","content":"a"}]}`,
      `{"model":"${MODEL}","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}]}`,
      `{"model":"${MODEL}","max_tokens":5,"messages":[{"role":"user","content":"a"}],"thinking":{"type":"enabled","type":"disabled"}}`,
      `{"model":"${MODEL}","max_tokens":5,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","name":"g","input_schema":{"type":"object"}}]}`,
      `{"model":"${MODEL}","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a.example/a","url":"https://b.example/b"}}]}]}`,
    ],
  };
  for (const [name, texts] of Object.entries(CASES)) {
    const route = routes.find((it) => it.name === name);
    for (const [at, text] of texts.entries()) {
      test(`attack_29_they_are_400 (${name}, ${at})`, () => assertNothingDone(async () => void (await expectRefusal(route, await send(route, text), 400))));
    }
  }
});

describe("attack 46: an idempotency key", () => {
  const SURFACES = {
    "POST /v1/chat/completions": { another: { user: "another" }, code: "idempotency_key_reused" },
    "POST /v1/responses": { another: { user: "another" }, code: "idempotency_key_reused" },
    "POST /v1/messages": { another: { metadata: { user_id: "another" } } },
  };
  let next = 0;
  for (const [name, { another, code }] of Object.entries(SURFACES)) {
    for (const fields of [{}, { stream: true }]) {
      test(`attack_46_replays_and_refusals_have_the_rates_of_this_request_and_name_the_model (${name}${fields.stream ? ", streamed" : ""})`, async () => {
        const tenant = stack.tenants[1];
        await stack.updateSettings(tenant.tenant_id, { limits: { requests_per_minute: 1, burst: 60 } });
        const [method, path] = name.split(" ");
        const key = `replay-${(next += 1)}`;
        const post = async (body, headers = {}) => {
          const response = await fetch(stack.url + path, { method, headers: { authorization: `Bearer ${tenant.secret_key}`, "content-type": "application/json", "idempotency-key": key, ...VERSION, ...headers }, body: JSON.stringify(body) });
          return { response, text: await response.text() };
        };
        let last = 60;
        const expectReport = ({ response, text }, status, tries) => {
          assert.equal(response.status, status, text);
          const header = (it) => response.headers.get(it);
          assert.deepEqual([header("x-ratelimit-limit-requests"), header("x-clawless-model"), header("x-clawless-tries")], ["60", MODEL, tries]);
          assert.ok(Number(header("x-ratelimit-remaining-requests")) < last, "this request counts");
          last = Number(header("x-ratelimit-remaining-requests"));
        };
        const body = { ...BODIES[name], ...fields };
        const first = await post(body);
        expectReport(first, 200, "1");
        const again = await post(body);
        expectReport(again, 200, "0");
        assert.equal(again.response.headers.get("idempotent-replayed"), "true");
        assert.equal(again.response.headers.get("x-original-request-id"), first.response.headers.get("x-request-id"));
        const refused = await post({ ...body, ...another });
        expectReport(refused, 422, "0");
        if (code) assert.equal(JSON.parse(refused.text).error.code, code);
        // The same body with other features is another request.
        if (name === "POST /v1/messages") expectReport(await post(body, { "anthropic-beta": "context-1m-2025-08-07" }), 422, "0");
        assert.equal(stack.upstream.requests.length, 1);
      });
    }
  }
});

describe("attack 62: names and paths that url parsers fold", () => {
  const raw = (method, target) => exchange(stack.url, `${method} ${target} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${stack.key}\r\ncontent-length: 0`, []);

  test("attack_62_a_conversation_of_such_a_name_is_400_by_its_parameter_wherever_it_is_named", async () => {
    const { receipts: _receipts, ...before } = await stack.rowCounts();
    for (const name of [".", "..", "%2e", "a/b", "a\\b", "a?b", "a#b", "a b", "", "s".repeat(300)]) {
      const response = routes.find(({ name: it }) => it === "POST /v1/responses");
      for (const conversation of [name, { id: name }]) {
        await expectError(await send(response, JSON.stringify(responseBody({ conversation }))), 400, { param: "conversation" });
      }
      for (const it of ["POST /v1/responses", "POST /v1/messages"]) {
        if (name === "") continue;
        const route = routes.find((other) => other.name === it);
        await expectRefusal(route, await send(route, JSON.stringify(BODIES[it]), { "x-session-id": name }), 400, { param: "x-session-id" });
      }
    }
    for (const name of ["%2e%2e", "..", "%2E", "."]) {
      for (const [method, tail] of [["GET", ""], ["POST", ""], ["DELETE", ""], ["GET", "/items"]]) {
        const { status, text } = await raw(method, `/v1/conversations/${name}${tail}`);
        assert.ok(status === 400 || status === 415, `${method} ${name}${tail}: ${status} ${text}`);
      }
    }
    const { receipts: _now, ...after } = await stack.rowCounts();
    assert.deepEqual(after, before);
    assert.equal(stack.upstream.requests.length, 0);
  });

  test("attack_62_a_folded_path_reaches_no_other_route", async () => {
    for (const target of ["/v1/conversations/../models", "/v1/conversations/one/../../models", "/v1/responses/../models", "/v1/responses/%2e%2e/models", "/v1/responses\\x", "/v1/messages/../models", "/v1/messages/.", "/v1\\conversations\\one", "/v1/conversations/one/%2e%2e/one", "/v1/widget/../models", "/v1/conversations//one", "/v1/responses/", "/v1/messages/"]) {
      const { status, text } = await raw("GET", target);
      assert.equal(status, 404, `${target}: ${text}`);
    }
  });

  test("attack_62_a_response_of_such_an_id_does_not_exist", async () => {
    for (const id of ["..", "%2e%2e", "resp_..", "resp_%2e%2e", "a%2fb", "resp_01ARZ3NDEKTSV4RRFFQ69G5FAV%00"]) {
      for (const [method, tail] of [["GET", ""], ["DELETE", ""], ["POST", "/cancel"], ["GET", "/input_items"]]) {
        const { status, text } = await raw(method, `/v1/responses/${id}${tail}`);
        assert.equal(status, 404, `${method} ${id}${tail}: ${status} ${text}`);
      }
    }
  });
});

describe("rate-limit headers", () => {
  test("are_on_every_answer_and_error_of_every_route_with_a_key", async () => {
    const { tenant_id: tenant, secret_key: key } = stack.tenants[2];
    await stack.updateSettings(tenant, { limits: { requests_per_minute: 6000, burst: 6000 } });
    // Writes have a share of the rate.
    const limits = ["6000", "3000"];
    const ids = { "{id}": "one", "{id…}": MODEL, "{message_id}": "msg_01ARZ3NDEKTSV4RRFFQ69G5FAV", "{request_id}": "req_01ARZ3NDEKTSV4RRFFQ69G5FAV" };
    const open = GATEWAY.operations.filter(({ pattern }) => pattern.startsWith("/v1/") && pattern !== "/v1/widget/session");
    assert.ok(open.length > 25);
    for (const { method, pattern } of open) {
      const path = pattern.replace(/\{[^}]+\}/g, (name) => ids[name]);
      const body = BODIES[`${method} ${pattern}`];
      const call = async (text, headers = {}) => {
        const response = await fetch(stack.url + path, { method, headers: { authorization: `Bearer ${key}`, ...VERSION, ...(text === undefined ? {} : { "content-type": "application/json" }), ...headers }, body: text });
        await response.arrayBuffer();
        const name = `${method} ${path} ${text ?? ""}: ${response.status}`;
        const limit = response.headers.get("x-ratelimit-limit-requests");
        assert.ok(limits.includes(limit), name);
        assert.ok(Number(response.headers.get("x-ratelimit-remaining-requests")) < Number(limit), name);
        return response;
      };
      await call(body === undefined ? undefined : JSON.stringify(body));
      if (body === undefined) continue;
      assert.ok((await call("{")).status >= 400);
      assert.equal((await call("[]")).status, 400);
      assert.equal((await call("{}", { "content-type": "text/plain" })).status, 415);
    }
  });
});

test("attack_61_an_expired_session_and_its_responses_are_as_if_they_had_never_existed", async () => {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[3];
  const call = async (method, path, body, headers = {}) => {
    const response = await fetch(`${stack.url}/v1${path}`, { method, headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...VERSION, ...headers }, body: body === undefined ? undefined : JSON.stringify(body) });
    return { status: response.status, body: await response.json() };
  };
  const SECRET = "a-secret-of-the-expired";
  const { body: conversation } = await call("POST", "/conversations", { metadata: { a: SECRET } });
  const { body: response } = await call("POST", "/responses", responseBody({ input: SECRET, conversation: conversation.id }));
  assert.equal(response.status, "completed");
  const item = response.output[0].id;
  await stack.rows("UPDATE sessions SET expires_at = 1 WHERE tenant_id = ?1", tenant);
  const sent = stack.upstream.requests.length;
  const of = (id, conversationId, itemId) => [
    ["GET", `/conversations/${conversationId}`], ["POST", `/conversations/${conversationId}`, { metadata: {} }], ["GET", `/conversations/${conversationId}/items`], ["GET", `/conversations/${conversationId}/items?after=${itemId}`],
    ["DELETE", `/conversations/${conversationId}`], ["GET", `/sessions/${conversationId}`], ["GET", `/sessions/${conversationId}/messages`], ["GET", `/sessions/${conversationId}/export`],
    ["GET", `/responses/${id}`], ["GET", `/responses/${id}/input_items`], ["POST", `/responses/${id}/cancel`], ["DELETE", `/responses/${id}`],
    ["POST", "/responses", responseBody({ previous_response_id: id })], ["POST", "/responses", responseBody({ previous_response_id: id, store: false })],
    ["POST", "/responses", responseBody({ conversation: conversationId })], ["POST", "/responses", responseBody({ conversation: conversationId, store: false })],
    ["POST", "/responses", responseBody({ input: [{ type: "item_reference", id: itemId }] })],
    ["POST", "/responses/input_tokens", responseBody({ previous_response_id: id })], ["POST", "/responses/input_tokens", responseBody({ conversation: conversationId })], ["POST", "/responses/input_tokens", responseBody({ input: [{ type: "item_reference", id: itemId }] })],
    ["POST", "/messages", messageBody(), { "x-session-id": conversationId }], ["POST", "/chat/completions", chatBody(), { "x-session-id": conversationId }],
  ];
  const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  const unknown = of(`resp_${ULID}`, `ses_${ULID}`, item.replace(/[0-9A-Z]{26}/u, ULID));
  for (const [at, [method, path, body, headers]] of of(response.id, conversation.id, item).entries()) {
    const found = await call(method, path, body, headers);
    const name = `${method} ${path} ${JSON.stringify(body)}: ${JSON.stringify(found.body)}`;
    assert.equal(found.status, 404, name);
    assert.ok(!JSON.stringify(found.body).includes(SECRET), name);
    // The same answer as for names that were never used.
    const other = await call(...unknown[at]);
    const comparable = ({ status, body: { error } }) => [status, error.code ?? error.type, error.param, error.message.replace(/[0-9A-Z]{26}/gu, "")];
    assert.deepEqual(comparable(found), comparable(other), name);
  }
  assert.equal(stack.upstream.requests.length, sent, "the model is not called");
  const { body: list } = await call("GET", "/sessions");
  assert.ok(!JSON.stringify(list).includes(SECRET));
});
