// Every log line of a request's work names the request and its tenant, background work included.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { failure } from "../harness/behaviours.mjs";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { chatBody, completeStream, expectError, MODEL, postChat } from "../harness/client.mjs";
import { messageBody, VERSION } from "../harness/messages-client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

/** Lines that belong to no request: about the deployment. */
const OF_NO_REQUEST = ["housekeeping failed", "variable rejected", "sync ledger rows failed"];

let stack;
before(async () => {
  stack = await startStack({ tenants: 2, build: BUILD_WITH_FAULTS, vars: { LOG_LEVEL: "trace" } });
});
after(() => stack.stop());

const lines = () => stack.logs.map(({ message }) => message).filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
const linesOf = (id) => lines().filter((line) => line.request_id === id);
const served = (id) => until(() => linesOf(id).some(({ message }) => message === "request served"), `the request ${id} is logged`);

async function fail(faults) {
  const response = await fetch(`${stack.url}/__test/faults`, { method: "POST", body: JSON.stringify(faults) });
  assert.equal(response.status, 200, await response.text());
}

test("log lines: every_line_of_a_run_has_its_request_and_its_tenant", async () => {
  const tenant = stack.tenants[0].tenant_id;
  const key = stack.key;
  const ids = new Set();
  const note = (response) => ids.add(response.headers.get("x-request-id"));

  await stack.updateSettings(tenant, { quotas: { messages_per_month: 20 }, fallback: ["gone"], tools: ["time_now"] });
  for (let round = 0; round < 3; round += 1) note(await drained(postChat(stack, chatBody(), { headers: { "x-session-id": "logged" } })));
  note((await completeStream(stack, {})).response);
  // Retries, and a call that no model answers.
  stack.upstream.next(failure(500), failure(500), failure(500));
  note(await drained(postChat(stack, chatBody())));
  stack.upstream.next(failure(500));
  note(await drained(postChat(stack, chatBody())));
  // Background work: a commit that fails, an idempotency key, a cache that fails.
  await fail([{ call: "batch", about: "INSERT INTO turns", when: "before", error: "D1_ERROR: Network connection lost.", times: 9 }]);
  note(await drained(postChat(stack, chatBody(), { headers: { "x-session-id": "parked" } })));
  await fail([{ call: "put", about: "", when: "before", error: "no cache", times: 9 }, { call: "get", about: "", when: "before", error: "no cache", times: 9 }]);
  note(await drained(postChat(stack, chatBody(), { headers: { "x-session-id": "logged", "idempotency-key": "k" } })));
  await fail([]);
  // Refusals: of the body, the model, the session, the scope, the key.
  for (const body of [chatBody({ model: "gone" }), chatBody({ messages: 1 }), "{"]) note(await drained(postChat(stack, body)));
  for (const path of ["/v1/sessions/none", "/v1/sessions?limit=0", "/v1/models/none", "/v1/sessions/logged/export"]) {
    note(await drained(fetch(`${stack.url}${path}`, { headers: { authorization: `Bearer ${key}` } })));
  }
  // The other surfaces, answered and refused, and the reads of what they stored.
  const call = (method, path, body) => fetch(`${stack.url}/v1${path}`, { method, headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...VERSION }, body: body === undefined ? undefined : JSON.stringify(body) });
  const response = await call("POST", "/responses", { model: MODEL, input: "Hi" });
  note(response);
  const { id, output } = await response.json();
  const conversation = await call("POST", "/conversations", {});
  note(conversation);
  const { id: name } = await conversation.json();
  for (const [method, path, body] of [
    ["POST", "/messages", messageBody({ stream: true })], ["POST", "/messages", messageBody({ max_tokens: 0 })], ["POST", "/messages/count_tokens", { model: MODEL, messages: messageBody().messages }],
    ["POST", "/responses", { model: MODEL, input: [{ type: "item_reference", id: output[0].id }, { role: "user", content: "a" }], stream: true, store: false }],
    ["POST", "/responses", { model: MODEL, input: 1 }], ["POST", "/responses/input_tokens", { model: MODEL, input: "Hi", previous_response_id: id }],
    ["GET", `/responses/${id}`], ["GET", `/responses/${id}/input_items`], ["POST", `/responses/${id}/cancel`], ["DELETE", `/responses/${id}`], ["GET", `/responses/${id}`],
    ["GET", `/conversations/${name}`], ["POST", `/conversations/${name}`, { metadata: { a: "b" } }], ["GET", `/conversations/${name}/items`], ["GET", `/conversations/${name}/items?after=x`],
    ["DELETE", `/conversations/${name}`], ["GET", "/conversations/none"], ["GET", "/usage"],
  ]) note(await drained(call(method, path, body)));
  // Reaches 80 % and then 100 % of the quota.
  const running = Array.from({ length: 20 }, () => drained(postChat(stack, chatBody())));
  for (const response of await Promise.all(running)) note(response);
  for (const id of ids) await served(id);

  const found = lines().filter(({ message }) => !OF_NO_REQUEST.includes(message));
  const ofTenant = found.filter((line) => line.tenant === tenant);
  assert.ok(ofTenant.length > 40, `${ofTenant.length} lines`);
  for (const line of found) {
    if (line.path?.startsWith("/__test/")) continue;
    assert.equal(line.tenant, tenant, JSON.stringify(line));
    assert.ok(ids.has(line.request_id), `a request of the run: ${JSON.stringify(line)}`);
  }
  const messages = new Set(found.map(({ message }) => message));
  for (const message of ["model call failed", "fallback model is not offered", "store turn failed, turn parked", "quota warning", "request refused", "request failed"]) {
    assert.ok(messages.has(message), `${message} is among ${[...messages]}`);
  }
});

test("log lines: the_id_of_an_operators_request_is_the_clients_in_log_and_audit_log", async () => {
  const { tenant_id: tenant } = stack.tenants[1];
  const response = await stack.admin("PATCH", `/tenants/${tenant}`, { system_prompt: "Be brief." }, { headers: { "x-clawless-request-id": "req_01ARZ3NDEKTSV4RRFFQ69G5FAV" } });
  assert.equal(response.status, 200);
  const id = response.headers.get("x-request-id");
  assert.notEqual(id, "req_01ARZ3NDEKTSV4RRFFQ69G5FAV", "a client cannot choose the id");
  const [{ request_id }] = await stack.rows("SELECT request_id FROM audit_log WHERE tenant_id = ?1 ORDER BY id DESC LIMIT 1", tenant);
  assert.equal(request_id, id);
  await until(() => linesOf(id).length >= 2, "a line of each Worker");
  assert.ok(linesOf(id).some((line) => line.tenant === tenant), "the admin Worker names the tenant");
});

test("log lines: a_message_between_sessions_is_logged_with_its_own_request", async () => {
  const { tenant_id: tenant } = stack.tenants[1];
  const job = JSON.stringify({ tenant, send: "snd_01ARZ3NDEKTSV4RRFFQ69G5FAV" });
  const from = lines().length;
  await fail([{ call: "query", about: "FROM sends", when: "before", error: "no database", times: 9 }]);
  await stack.deliverQueueBatch([job]);
  await fail([]);
  const found = lines().slice(from).find(({ message }) => message === "deliver message failed");
  assert.equal(found?.tenant, tenant, JSON.stringify(found));
  assert.equal(found?.send, "snd_01ARZ3NDEKTSV4RRFFQ69G5FAV");
});

test("a_failed_call_reports_model_route_and_tries", async () => {
  const { secret_key: key } = stack.tenants[1];
  const reported = async (response, status, expected) => {
    await expectError(response, status);
    const header = (name) => response.headers.get(`x-clawless-${name}`);
    assert.deepEqual([header("model"), header("route"), header("tries")], expected);
    const id = response.headers.get("x-request-id");
    await served(id);
    const line = linesOf(id).find(({ message }) => message === "request served");
    assert.deepEqual([line.model, line.route, line.tries], expected);
    return linesOf(id);
  };
  for (const stream of [false, true]) {
    stack.upstream.next(failure(500), failure(500), failure(500));
    const failed = await reported(await postChat(stack, chatBody({ stream }), { key }), 502, ["scripted-model", "named", "3"]);
    assert.equal(failed.filter(({ message }) => message === "model call failed").length, 3);
    stack.upstream.next(failure(400));
    await reported(await postChat(stack, chatBody({ stream }), { key }), 400, ["scripted-model", "named", "1"]);
  }
  // Refused after routing, before any call.
  const limited = await stack.admin("PATCH", `/tenants/${stack.tenants[1].tenant_id}`, { quotas: { messages_per_month: 0 } });
  assert.equal(limited.status, 200);
  await reported(await postChat(stack, chatBody(), { key }), 429, ["scripted-model", "named", "0"]);
});

async function drained(pending) {
  const response = await pending;
  await response.text();
  return response;
}
