// Behaviours of a scripted upstream. A behaviour is `async (request, response) => …`;
// each function below returns one.
import { setTimeout as sleep } from "node:timers/promises";

const CREATED = 1_700_000_000;
const PROVIDER_ID = "chatcmpl-provider-1";

/** The default usage of scripted responses. */
export const USAGE = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 };

/** An ordinary chat completion, as one JSON body. */
export function completion({ content = "Hello there.", finish_reason = "stop", usage = USAGE, message = {}, extra = {} } = {}) {
  return json(200, (request) => ({
    id: PROVIDER_ID,
    object: "chat.completion",
    created: CREATED,
    model: request.body.model,
    choices: [{ index: 0, message: { role: "assistant", content, refusal: null, ...message }, finish_reason, logprobs: null }],
    ...(usage ? { usage } : {}),
    ...extra,
  }));
}

/** An ordinary stream: role, one event per piece, finish, usage, `[DONE]`. */
export function stream({ pieces = ["Hello", " there", "."], delayMs = 0, finish_reason = "stop", usage = USAGE } = {}) {
  return events(
    (request) => [
      ...openingEvents(request, pieces),
      chunk(request, {}, finish_reason),
      ...(usage ? [{ ...chunk(request, {}), choices: [], usage }] : []),
      "[DONE]",
    ],
    { delayMs },
  );
}

/** Sends a stream for `stream: true`, else one JSON body. `content` may be a function of the request. */
export function completionOrStream({ content = "Hello there.", ...options } = {}) {
  return async (request, response) => {
    const text = typeof content === "function" ? content(request) : content;
    const behaviour = request.body.stream === true
      ? stream({ ...options, pieces: text.match(/.{1,5}/gsu) ?? [] })
      : completion({ ...options, content: text });
    await behaviour(request, response);
  };
}

/** Any status with a JSON body; `body` may be a function of the request. */
export function json(status, body, headers = {}) {
  return async (request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(typeof body === "function" ? body(request) : body));
  };
}

/** A provider error in OpenAI's envelope. Its message must never reach a client. */
export function failure(status, headers = {}) {
  return json(status, { error: { message: PROVIDER_SECRET, type: "server_error", param: null, code: null } }, headers);
}

/** Text from the provider's error messages: tests check that clients never see it. */
export const PROVIDER_SECRET = "provider-internal-detail-7f3a";

/** A web page with status 200, as an intermediate proxy might send. */
export function htmlWith200() {
  return async (_request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<html><body>${PROVIDER_SECRET}</body></html>`);
  };
}

/**
 * Sends server-sent events. `list` maps the request to objects (sent as JSON) and
 * strings (sent unchanged) for `data:` lines, or `{ raw }` for arbitrary bytes.
 */
export function events(list, { delayMs = 0, ending = end } = {}) {
  return async (request, response) => {
    openStream(response);
    for (const event of list(request)) {
      response.write(encodeEvent(event));
      if (delayMs > 0) await sleep(delayMs);
    }
    await ending(response);
  };
}

/** A stream that ends with a TCP reset after its pieces. */
export function resetMidBody({ pieces = ["Hel", "lo"] } = {}) {
  return events((request) => openingEvents(request, pieces), {
    ending: async (response) => {
      await sleep(50); // sends the pieces before the reset discards them
      response.socket.resetAndDestroy();
    },
  });
}

/** A stream whose connection closes cleanly before the end of the body. */
export function cutMidBody({ pieces = ["Hel", "lo"] } = {}) {
  return events((request) => openingEvents(request, pieces), {
    ending: async (response) => response.socket.end(),
  });
}

/** A TCP reset before the first byte of the response. */
export function resetBeforeResponse() {
  return async (_request, response) => response.socket.resetAndDestroy();
}

/** A stream that ends cleanly, without a `finish_reason` and without `[DONE]`. */
export function endWithoutFinish({ pieces = ["Hel", "lo"] } = {}) {
  return events((request) => openingEvents(request, pieces));
}

/** A stream whose next event is not JSON. */
export function malformedEvent({ pieces = ["Hel", "lo"] } = {}) {
  return events((request) => [...openingEvents(request, pieces), `{"choices": [{"delta": ${PROVIDER_SECRET}`]);
}

/** A stream in which the provider reports an error after its 200. */
export function errorAfter200({ pieces = ["Hel", "lo"] } = {}) {
  return events((request) => [
    ...openingEvents(request, pieces),
    { error: { message: PROVIDER_SECRET, type: "server_error", code: "boom" } },
  ]);
}

/** A stream with one line of `bytes` bytes. */
export function hugeLine({ bytes = 5 * 1024 * 1024 } = {}) {
  return events((request) => [...openingEvents(request, ["Hi"]), chunk(request, { content: "x".repeat(bytes) }), "[DONE]"]);
}

/** A complete stream, one byte per write. */
export function oneByteAtATime({ pieces }) {
  return async (request, response) => {
    openStream(response);
    response.socket.setNoDelay(true);
    const list = [...openingEvents(request, pieces), chunk(request, {}, "stop"), { ...chunk(request, {}), choices: [], usage: USAGE }, "[DONE]"];
    for (const byte of Buffer.concat(list.map(encodeEvent))) {
      response.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    response.end();
  };
}

/** Sends a further chunk after `[DONE]`. */
export function dataAfterDone({ pieces = ["Hello"] } = {}) {
  return events((request) => [
    ...openingEvents(request, pieces),
    chunk(request, {}, "stop"),
    "[DONE]",
    chunk(request, { content: PROVIDER_SECRET }),
  ]);
}

/** Accepts the request and sends nothing until the other side disconnects. */
export function silence() {
  return (_request, response) => new Promise((resolve) => response.on("close", resolve));
}

/** One stream chunk in a provider's format. */
export function chunk(request, delta, finish_reason = null) {
  return {
    id: PROVIDER_ID,
    object: "chat.completion.chunk",
    created: CREATED,
    model: request.body.model,
    choices: [{ index: 0, delta, finish_reason, logprobs: null }],
  };
}

/** The start of a stream: the role, then one event per piece of text. */
export function openingEvents(request, pieces) {
  return [chunk(request, { role: "assistant", content: "" }), ...pieces.map((content) => chunk(request, { content }))];
}

async function end(response) {
  response.end();
}

function openStream(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
}

function encodeEvent(event) {
  if (typeof event === "object" && "raw" in event) return Buffer.from(event.raw);
  return Buffer.from(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
}
