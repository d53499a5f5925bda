// The tests' client of the messages surface: plain fetch and a strict parser of event streams.
import assert from "node:assert/strict";
import { assertRequestId, MODEL } from "./client.mjs";

/** The header that every request of the API has. */
export const VERSION = { "anthropic-version": "2023-06-01" };

/** A small, valid request for a message. */
export function messageBody(fields = {}) {
  return { model: MODEL, max_tokens: 64, messages: [{ role: "user", content: "Say hello." }], ...fields };
}

/** Sends a request for a message. `body` is an object, or text that is sent unchanged. */
export function postMessage(stack, body, { key = stack.key, headers = {}, path = "/v1/messages", method = "POST" } = {}) {
  return fetch(`${stack.url}${path}`, {
    method,
    headers: { "content-type": "application/json", ...VERSION, ...(key ? { "x-api-key": key } : {}), ...headers },
    body: method === "GET" ? undefined : typeof body === "string" ? body : JSON.stringify(body),
  });
}

/** Sends a request for a streamed message and reads the stream to its end. */
export async function streamMessage(stack, fields, options) {
  const response = await postMessage(stack, messageBody({ stream: true, ...fields }), options);
  if (response.status !== 200) assert.fail(`${response.status} ${await response.text()}`);
  return { response, ...readMessageEvents(await response.text()) };
}

/**
 * Parses a stream and checks the order of its events: `message_start`, blocks one after another with the
 * indexes 0, 1, 2, …, and exactly one end. `events` are all but pings; `error` is that of an `error`
 * event; `message` is the assembled message of a complete stream.
 */
export function readMessageEvents(stream) {
  const parts = stream.split("\n\n").filter((part) => part !== "" && !part.split("\n").every((line) => line.startsWith(":")));
  const events = parts.map((part) => {
    const lines = part.split("\n").filter((line) => !line.startsWith(":"));
    assert.equal(lines.length, 2, part);
    const [name, data] = [lines[0].replace(/^event: /u, ""), JSON.parse(lines[1].replace(/^data: /u, ""))];
    assert.equal(data.type, name);
    return data;
  }).filter(({ type }) => type !== "ping");
  const ends = events.filter(({ type }) => type === "message_stop" || type === "error");
  assert.equal(ends.length, 1, `exactly one end: ${stream}`);
  assert.equal(events.at(-1), ends[0], "nothing follows the end");
  const blocks = [];
  let open;
  let message;
  for (const [at, event] of events.entries()) {
    if (event.type === "error") continue;
    assert.equal(event.type === "message_start", at === 0, stream);
    if (event.type === "message_start") message = event.message;
    if (event.type === "content_block_start") {
      assert.equal(open, undefined, "one block is open at a time");
      assert.equal(event.index, blocks.length);
      open = event.index;
      blocks.push({ ...event.content_block });
    }
    if (event.type === "content_block_delta") {
      assert.equal(event.index, open);
      const block = blocks[open];
      if (event.delta.type === "input_json_delta") block.json = (block.json ?? "") + event.delta.partial_json;
      else for (const name of ["text", "thinking", "signature"]) if (name in event.delta) block[name] += event.delta[name];
    }
    if (event.type === "content_block_stop") {
      assert.equal(event.index, open);
      open = undefined;
    }
    if (event.type === "message_delta") Object.assign(message, event.delta, { usage: event.usage });
  }
  const text = blocks.filter(({ type }) => type === "text").map((block) => block.text).join("");
  const done = events.at(-1)?.type === "message_stop";
  if (done) {
    assert.equal(open, undefined, "every block has ended");
    assert.equal(events.at(-2).type, "message_delta");
    message.content = blocks.map(({ json, ...block }) => (json === undefined ? block : { ...block, input: JSON.parse(json) }));
  }
  return { stream, events, done, text, blocks, error: ends[0].type === "error" ? ends[0] : undefined, message: done ? message : undefined };
}

/** Checks Anthropic's error envelope: exactly its members, and the request's id. */
export function assertMessageError(body) {
  assert.deepEqual(Object.keys(body).sort(), ["error", "request_id", "type"]);
  assert.equal(body.type, "error");
  assert.deepEqual(Object.keys(body.error).sort(), ["message", "type"]);
  assert.ok(body.error.message.length > 0, "an error has a message");
  assert.match(body.request_id, /^req_/u);
}

/** Checks an error response: status, envelope, request ids; returns the error. */
export async function expectMessageError(response, status, type) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(response.headers.get("content-type") ?? "", /^application\/json\b/u);
  assertRequestId(response);
  assert.equal(response.headers.get("request-id"), response.headers.get("x-request-id"));
  const body = JSON.parse(text);
  assertMessageError(body);
  assert.equal(body.request_id, response.headers.get("request-id"));
  assert.equal(body.error.type, type, text);
  return body.error;
}
