// The tests' client of the Responses surface: plain fetch and a strict parser of its events.
import assert from "node:assert/strict";

/** Sends a request for a response. */
export function postResponse(stack, body, { key = stack.key, headers = {}, signal } = {}) {
  return fetch(`${stack.url}/v1/responses`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
    body: JSON.stringify(body),
    signal,
  });
}

/** Calls a route of responses or conversations: `{ status, body }`. */
export async function call(stack, method, path, body, { key = stack.key } = {}) {
  const headers = { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
  const response = await fetch(`${stack.url}/v1${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Parses a stream: its events in order, each with its name, one `data:` line and the next number. */
export function parseResponseEvents(stream) {
  const blocks = stream.split("\n\n").filter((block) => block !== "" && !block.startsWith(":"));
  return blocks.map((block, index) => {
    const lines = block.split("\n");
    assert.equal(lines.length, 2, block);
    const [name, data] = [lines[0].slice("event: ".length), JSON.parse(lines[1].slice("data: ".length))];
    assert.equal(data.type, name);
    assert.equal(data.sequence_number, index, "events are numbered without a gap");
    return data;
  });
}

const TERMINAL = ["response.completed", "response.incomplete", "response.failed", "error"];

/** Asserts that a stream has exactly one terminal event, its last one; returns it. */
export function terminalEvent(events) {
  const ends = events.filter(({ type }) => TERMINAL.includes(type));
  assert.equal(ends.length, 1, JSON.stringify(ends));
  assert.equal(events.at(-1), ends[0]);
  return ends[0];
}
