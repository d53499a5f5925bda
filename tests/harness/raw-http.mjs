// HTTP from a bare socket, for requests that no well-behaved client would send.
import net from "node:net";
import { once } from "node:events";
import { setImmediate as turn } from "node:timers/promises";

/**
 * Sends `head` (text, without the empty line that ends it) and then the parts of
 * `body`, one after the other, until they are used up or an answer begins.
 * Gives the answer and how many body bytes were handed to the network.
 */
export async function exchange(url, head, body = [], { timeoutMs = 20_000 } = {}) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port) });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  await once(socket, "connect");
  const answer = readAnswer(socket);
  let begun = false;
  answer.begun.then(() => (begun = true));
  socket.write(`${head}\r\n\r\n`, "latin1");
  let bytesSent = 0;
  for await (const part of body) {
    if (begun || socket.destroyed) break;
    bytesSent += part.length;
    if (!socket.write(part)) await Promise.race([once(socket, "drain").catch(() => {}), answer.begun]);
    // What has arrived is read before the next write: one that meets a closed connection ends the socket unread.
    await turn();
  }
  try {
    return { ...(await answer.whole), bytesSent };
  } finally {
    socket.destroy();
  }
}

/** The parts of a chunked body: `count` times the same `part`, and no end. */
export function* endlessChunks(part, count) {
  const chunk = Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]);
  for (let index = 0; index < count; index += 1) yield chunk;
}

function readAnswer(socket) {
  let received = Buffer.alloc(0);
  let begin;
  const begun = new Promise((resolve) => (begin = resolve));
  const whole = new Promise((resolve, reject) => {
    const settle = (error) => {
      begin();
      const answer = parse(received);
      if (answer) resolve(answer);
      else reject(error ?? new Error(`the connection closed after ${received.length} bytes of an answer`));
    };
    socket.on("data", (part) => {
      received = Buffer.concat([received, part]);
      if (received.includes("\r\n\r\n")) begin();
      const answer = parse(received);
      if (answer?.complete) resolve(answer);
    });
    // A server that refuses early may reset the connection under our writes:
    // what it said before still counts.
    socket.on("error", settle);
    socket.on("close", () => settle());
  });
  return { begun, whole };
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
