// HTTP over a raw socket, for requests that regular clients don't send.
import net from "node:net";
import { once } from "node:events";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";

/**
 * Sends `head` (text without the final empty line), then the parts of `body` in order
 * until the last part or until a response begins. Returns the response and the number of
 * body bytes written to the socket.
 */
export async function exchange(url, head, body = [], { timeoutMs = 20_000 } = {}) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port) });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no response within ${timeoutMs} ms`)));
  await once(socket, "connect");
  const response = readResponse(socket);
  let started = false;
  response.started.then(() => (started = true));
  socket.write(`${head}\r\n\r\n`, "latin1");
  let bytesSent = 0;
  for await (const part of body) {
    if (started || socket.destroyed) break;
    bytesSent += part.length;
    if (!socket.write(part)) await Promise.race([once(socket, "drain").catch(() => {}), response.started]);
    // Reads received data before the next write: a write to a closed connection discards unread data.
    await turn();
  }
  try {
    return { ...(await response.whole), bytesSent };
  } finally {
    socket.destroy();
  }
}

/** The chunks of a chunked body: `count` times the same `part`, without the final chunk. */
export function* endlessChunks(part, count) {
  const chunk = Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  for (let index = 0; index < count; index += 1) yield chunk;
}

function readResponse(socket) {
  let received = Buffer.alloc(0);
  let start;
  const started = new Promise((resolve) => (start = resolve));
  const whole = new Promise((resolve, reject) => {
    const settle = (error) => {
      start();
      const response = parse(received);
      if (response) resolve(response);
      else reject(error ?? new Error(`the connection closed after ${received.length} bytes of a response`));
    };
    socket.on("data", (part) => {
      received = Buffer.concat([received, part]);
      if (received.includes("\r\n\r\n")) start();
      const response = parse(received);
      if (response?.complete) resolve(response);
    });
    // A server that rejects a request early may reset the connection during our writes;
    // the response received before the reset is still valid.
    socket.on("error", settle);
    socket.on("close", () => settle());
  });
  return { started, whole };
}

function parse(bytes) {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine, ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Headers(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
  const rest = bytes.subarray(end + 4);
  const length = headers.get("content-length");
  const chunked = headers.get("transfer-encoding") === "chunked";
  return {
    status: Number(statusLine.split(" ")[1]),
    headers,
    raw: bytes.toString("latin1"),
    text: chunked ? joinChunks(rest) : rest.toString("utf8"),
    complete: chunked ? rest.includes("0\r\n\r\n") : length !== null && rest.length >= Number(length),
  };
}

function joinChunks(bytes) {
  const parts = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = lineEnd < 0 ? 0 : Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    if (!size) return Buffer.concat(parts).toString("utf8");
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}

/** Sends a request and reads nothing of the response until `read()`, which returns all of it. */
export async function openUnread(url, head) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.pause();
  socket.write(`${head}\r\n\r\n`, "latin1");
  return {
    /** Reads to the end, waiting `pauseMs` after each part. */
    async read({ pauseMs = 0 } = {}) {
      const parts = [];
      for await (const part of socket) {
        parts.push(part);
        if (pauseMs > 0) await sleep(pauseMs);
      }
      return parse(Buffer.concat(parts));
    },
    close: () => socket.destroy(),
  };
}
