// Provider faults in every dialect: each function takes a dialect of dialects.mjs and
// returns a behaviour for an upstream.
import { setTimeout as sleep } from "node:timers/promises";
import { events, htmlWith200, json, PROVIDER_SECRET, resetBeforeResponse, silence } from "./behaviours.mjs";

/** The text of a broken stream before it breaks. */
export const PARTIAL = "Hello";
const PIECES = ["Hel", "lo"];

/** An error response with this status. */
export const refusal = (dialect, status, headers) => json(status, dialect.refusal(status), headers);

/** A successful response, streamed if the request has `stream: true`. */
export const good = (dialect, options = {}) => (request, response) =>
  request.body.stream === true
    ? events((req) => [...dialect.opening(req, ["Hello", " there", "."], options), ...dialect.closing(req, options)])(request, response)
    : json(200, dialect.body(request, options))(request, response);

/** Faults before the first byte of a response, streamed or not. */
export const BEFORE_THE_FIRST_BYTE = {
  a_reset: () => resetBeforeResponse(),
  a_connection_closed_without_a_response: () => async (_request, response) => response.socket.end(),
  bytes_that_are_not_http: () => async (_request, response) => response.socket.end(`${PROVIDER_SECRET}\r\n\r\n`),
  a_web_page: () => htmlWith200(),
  a_web_page_with_the_type_of_json: () => webPageAs("application/json"),
  a_web_page_with_the_type_of_a_stream: () => webPageAs("text/event-stream"),
  a_web_page_without_a_type: () => webPageAs(undefined),
  an_error_object_with_status_200: (dialect) => json(200, { ...dialect.refusal(500) }),
  an_empty_body: () => async (_request, response) => response.end(),
  a_redirect: () => async (_request, response) => response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
};

function webPageAs(type) {
  return async (_request, response) => {
    response.writeHead(200, type ? { "content-type": type } : {});
    response.end(`<!doctype html>\n<html><body>${PROVIDER_SECRET}</body></html>\n`);
  };
}

/** Faults of a response that is not streamed. */
export const IN_A_WHOLE_RESPONSE = {
  a_reset_in_the_middle: (dialect) => cut(dialect, (response) => response.socket.resetAndDestroy()),
  a_cut_in_the_middle: (dialect) => cut(dialect, (response) => response.socket.end()),
  a_clean_end_in_the_middle: (dialect) => async (request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(half(dialect, request));
  },
  no_finish_reason: (dialect) => json(200, (request) => dialect.body(request, { finish: null })),
  half_a_character: (dialect) => async (request, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const whole = Buffer.from(JSON.stringify(dialect.body(request, { text: "漢" })));
    const at = whole.indexOf(Buffer.from("漢"));
    response.end(Buffer.concat([whole.subarray(0, at + 1), whole.subarray(at + 3)]));
  },
  seventeen_megabytes: (dialect) => async (request, response) => {
    const [before, after] = JSON.stringify(dialect.body(request, { text: "TEXT" })).split("TEXT");
    response.writeHead(200, { "content-type": "application/json" });
    response.write(before);
    for (let sent = 0; sent < 17 && !response.destroyed; sent += 1) response.write(MEGABYTE);
    response.end(after);
  },
};

const MEGABYTE = Buffer.alloc(1024 * 1024, "x");

function half(dialect, request) {
  const whole = JSON.stringify(dialect.body(request));
  return whole.slice(0, whole.indexOf("Hello") + 3);
}

function cut(dialect, end) {
  return async (request, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
    response.write(half(dialect, request));
    await sleep(50); // sends the bytes before a reset discards them
    end(response);
  };
}

/** Faults in the middle of a stream, after `PARTIAL`. */
export const IN_A_STREAM = {
  a_reset: (dialect) => broken(dialect, [], async (response) => {
    await sleep(50);
    response.socket.resetAndDestroy();
  }),
  a_cut_connection: (dialect) => broken(dialect, [], async (response) => response.socket.end()),
  a_clean_end: (dialect) => broken(dialect),
  an_end_without_a_reason: (dialect) => broken(dialect, (request) => dialect.closingWithoutFinishReason(request)),
  half_an_event: (dialect) => broken(dialect, (request) => [{ raw: bytes(dialect.piece(request, "never seen")).subarray(0, -12) }]),
  a_malformed_event: (dialect) => broken(dialect, () => [dialect.malformed()]),
  a_web_page_in_the_middle: (dialect) => broken(dialect, () => [{ raw: `data: <html>${PROVIDER_SECRET}</html>\n\n` }]),
  an_error_after_200: (dialect) => broken(dialect, () => [dialect.errorEvent()]),
  half_a_character: (dialect) => broken(dialect, (request) => {
    const event = bytes(dialect.piece(request, "漢"));
    const at = event.indexOf(Buffer.from("漢"));
    return [{ raw: Buffer.concat([event.subarray(0, at + 1), event.subarray(at + 3)]) }];
  }),
  a_line_of_seventeen_megabytes: (dialect) => broken(dialect, (request) => [dialect.piece(request, "x".repeat(17 * 1024 * 1024))]),
  a_line_of_seventeen_megabytes_without_an_end: (dialect) => broken(dialect, () => [{ raw: `data: ${"x".repeat(17 * 1024 * 1024)}` }]),
  silence: (dialect) => broken(dialect, [], (response) => new Promise((resolve) => response.on("close", resolve))),
};

/** A stream of `PARTIAL`, then the events of `more`, then `ending`. */
function broken(dialect, more = [], ending = async (response) => response.end()) {
  return events((request) => [...dialect.opening(request, PIECES), ...(typeof more === "function" ? more(request) : more)], { ending });
}

/** The bytes of an event. */
export function bytes(event) {
  if (typeof event === "object" && "raw" in event) return Buffer.from(event.raw);
  return Buffer.from(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
}

/** A successful stream that `write(response, bytes)` sends, for example byte by byte. */
export function sendUnusually(dialect, pieces, write) {
  return async (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    await write(response, Buffer.concat([...dialect.opening(request, pieces), ...dialect.closing(request)].map(bytes)));
    response.end();
  };
}

export { silence };
