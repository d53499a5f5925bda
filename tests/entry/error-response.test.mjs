import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { errorResponse } from "../../workers/entry/error-response.js";

const { error: log } = console;
let lines;
beforeEach(() => {
  lines = [];
  console.error = (line) => lines.push(JSON.parse(line));
});
afterEach(() => (console.error = log));

const get = (path, init) => new Request(`https://gateway.example${path}`, init);

test("the_response_is_the_error_envelope_and_the_log_has_the_reason", async () => {
  const request = Object.assign(get("/health"), { clawlessRequestId: "req_1" });
  const response = errorResponse(request, {}, new Error("secret words"));
  const text = await response.text();
  assert.equal(response.status, 500);
  assert.deepEqual(
    { ...JSON.parse(text).error, message: undefined },
    { message: undefined, type: "server_error", param: null, code: "internal_error" },
  );
  assert.ok(!text.includes("secret"));
  assert.deepEqual(Object.fromEntries(response.headers), { "cache-control": "no-store", "content-type": "application/json", "x-request-id": "req_1" });
  const [{ time, ...line }] = lines;
  assert.ok(Math.abs(Date.now() - time) < 60_000);
  assert.deepEqual(line, { level: "ERROR", message: "serve request failed", request_id: "req_1", internal: "Error: secret words" });
});

test("a_request_without_an_id_gets_one_in_response_and_log", () => {
  const response = errorResponse(get("/health"), {}, new Error("early"));
  const id = response.headers.get("x-request-id");
  assert.match(id, /^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  assert.equal(lines[0].request_id, id);
});

test("clients_of_messages_get_their_own_envelope", async () => {
  const request = Object.assign(get("/v1/messages/count_tokens"), { clawlessRequestId: "req_1" });
  const response = errorResponse(request, {}, new Error("secret words"));
  const { error, ...rest } = await response.json();
  assert.deepEqual({ ...rest, kind: error.type }, { type: "error", request_id: "req_1", kind: "api_error" });
  assert.match(error.message, /Report the x-request-id/);
  assert.equal(response.headers.get("request-id"), "req_1");
});

test("a_response_to_HEAD_has_no_body", async () => {
  const response = errorResponse(get("/v1/models", { method: "HEAD" }), {}, new Error("x"));
  assert.equal(await response.text(), "");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
});
