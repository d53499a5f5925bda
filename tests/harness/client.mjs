// The tests' gateway client: plain fetch and a strict parser of event streams.
import assert from "node:assert/strict";

/** The model of the scripted upstream. */
export const MODEL = "scripted-model";

/** A small, valid chat request. */
export function chatBody(fields = {}) {
  return { model: MODEL, messages: [{ role: "user", content: "Say hello." }], ...fields };
}

/** Sends a chat request. `body` is an object, or text or bytes that are sent unchanged. */
export function postChat(stack, body, { key = stack.key, headers = {}, url = stack.url, signal } = {}) {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
    signal,
  });
}

/** Sends a chat request and reads the whole response; fails unless the status is 200. */
export async function complete(stack, fields, options) {
  const response = await postChat(stack, chatBody(fields), options);
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  return { response, body };
}

/**
 * Sends a chat request while the provider has this behaviour, and checks that the provider is called.
 * A successful request comes first because many consecutive failures open the circuit breaker.
 */
export async function postChatWhile(stack, behaviour, fields) {
  stack.upstream.reset();
  await complete(stack, {});
  stack.upstream.always(behaviour);
  const response = await postChat(stack, chatBody(fields));
  assert.ok(stack.upstream.requests.length > 1, "the provider is called");
  return response;
}

/** Sends a streaming chat request and reads the stream to its end. */
export async function completeStream(stack, fields, options) {
  const response = await postChat(stack, chatBody({ stream: true, ...fields }), options);
  if (response.status !== 200) assert.fail(`${response.status} ${await response.text()}`);
  return { response, ...readEvents(await response.text()) };
}

/**
 * Parses a stream. `data` holds every `data:` payload as text, `chunks` those that
 * are JSON, `lines` all lines that are not `data:` or empty, `done` whether `[DONE]`
 * is present, and `text` the concatenated content.
 */
export function readEvents(stream) {
  assert.ok(!stream.includes("\r"), "the stream's lines end in a bare line feed");
  const lines = stream.split("\n");
  const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice("data:".length).trim());
  const chunks = data.filter((payload) => payload !== "[DONE]").map((payload) => JSON.parse(payload));
  return {
    stream,
    data,
    chunks,
    lines: lines.filter((line) => line !== "" && !line.startsWith("data:")),
    done: data.includes("[DONE]"),
    text: chunks.flatMap((chunk) => chunk.choices ?? []).map((choice) => choice.delta.content ?? "").join(""),
  };
}

/** Reads a stream as it arrives; yields the text of each event without the final blank line. */
export async function* eventsAsTheyArrive(response) {
  let buffer = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    buffer += part;
    const events = buffer.split("\n\n");
    buffer = events.pop();
    for (const event of events) response.checkEvent?.(event);
    yield* events;
  }
  assert.equal(buffer, "", "the stream ends after a whole event");
}

/**
 * Checks an error response against the contract: status, JSON envelope with exactly
 * its four members, request id; `code`, `param` and `type` if given.
 */
export async function expectError(response, status, { code, param, type } = {}) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json\b/);
  assertRequestId(response);
  const body = JSON.parse(text);
  assertEnvelope(body);
  if (code !== undefined) assert.equal(body.error.code, code, text);
  if (param !== undefined) assert.equal(body.error.param, param, text);
  if (type !== undefined) assert.equal(body.error.type, type, text);
  return body.error;
}

/** `{"error":{"message","type","param","code"}}` with the types that the SDKs expect. */
export function assertEnvelope(body) {
  assert.deepEqual(Object.keys(body), ["error"]);
  const { message, type, param, code, ...others } = body.error;
  assert.deepEqual(others, {});
  assert.equal(typeof message, "string");
  assert.ok(message.length > 0, "an error has a message");
  assert.equal(typeof type, "string");
  assert.ok(param === null || typeof param === "string", "param is a string or null");
  assert.ok(code === null || typeof code === "string", "code is a string or null");
}

/** Every response has a request id. */
export function assertRequestId(response) {
  assert.match(response.headers.get("x-request-id") ?? "", /^req_[0-9A-Za-z]{10,}$/);
}
