// Calls of the runtime on the hot path, with as few calls between wasm and JavaScript as possible: each
// call, and each promise that wasm awaits, costs more than all work done here.
// Headers are passed as lines, name and value in turn: neither can contain a line break.

/** A request's method, URL and headers, as lines. */
export function head(request) {
  let lines = `${request.method}\n${request.url}`;
  for (const [name, value] of request.headers) lines += `\n${name}\n${value}`;
  return lines;
}

/** Calls `settled` with `id`, whether the promise was resolved, and its value, once it is settled. */
export function watch(promise, id, settled) {
  promise.then(
    (value) => settled(id, true, value),
    (error) => settled(id, false, error),
  );
}

/** Headers from lines. */
function headers(lines) {
  const headers = new Headers();
  const split = lines === "" ? [] : lines.split("\n");
  for (let at = 0; at < split.length; at += 2) headers.set(split[at], split[at + 1]);
  return headers;
}

/** A response with headers from lines; `isEncoded` says that the body has its content encoding already. */
export function respond(status, lines, body, isEncoded) {
  return new Response(body, { status, headers: headers(lines), encodeBody: isEncoded ? "manual" : "automatic" });
}

/** The same with a stream as its body. */
export function respondWithStream(status, lines, body) {
  return new Response(body, { status, headers: headers(lines) });
}

/** A stream of what is written to its other end. It holds no bytes: a write ends when they are taken. */
export function channel() {
  return new IdentityTransformStream();
}

/** Writes bytes of the wasm memory, which change before they are taken; after the last ones the end. */
export function write(writer, bytes, isLast) {
  const written = bytes.length === 0 ? Promise.resolve() : writer.write(bytes.slice());
  if (!isLast) return written;
  // If it fails, so does the end.
  written.catch(() => {});
  return writer.close();
}

/** Resolves when the client of a request has left. */
export function departed({ signal }) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.onabort = resolve;
  });
}

/** Sends a request; redirects are never followed. */
export function send(method, url, lines, body, signal) {
  return fetch(url, { method, headers: headers(lines), body, signal, redirect: "manual" });
}

/** A response's status, and the values of these headers, as lines; an absent one is empty. */
export function summary(response, names) {
  let lines = String(response.status);
  for (const name of names.split("\n")) lines += `\n${response.headers.get(name) ?? ""}`;
  return lines;
}

/** A response's body. */
export function bytes(response) {
  return response.bytes();
}

/** What compressed bytes (gzip) contain, as a stream. */
export function decompressed(bytes) {
  return new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
}

/** The next piece of a stream; `undefined` at its end. */
export async function next(reader) {
  const { value } = await reader.read();
  return value;
}

/** Calls a Durable Object of a binding; `undefined` where it is overloaded. */
export async function callObject(env, binding, name, request) {
  const namespace = env[binding];
  if (!namespace) throw new Error(`the binding ${binding} is absent`);
  try {
    return await namespace.getByName(name).ask(request);
  } catch (error) {
    if (error.overloaded) return undefined;
    throw error;
  }
}

/** A request's body as bytes; `undefined` if it does not arrive within `millis`. */
export function bodyAtOnce(request, millis) {
  return withTimeout(request.bytes(), millis);
}

/**
 * Reads a request's body in pieces. Resolves to its bytes; to a number, the bytes that were read, if it is
 * longer than `limit`; to `undefined` if it is late: after `grace` milliseconds, `rate` bytes a
 * millisecond must have arrived on average, and all of it within `total` milliseconds. A body longer
 * than the limit is discarded, and read on up to `discarded` bytes.
 */
export async function bodyInPieces(request, limit, discarded, grace, rate, total) {
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader();
  const started = Date.now();
  let [pieces, length] = [[], 0];
  for (;;) {
    const allowed = Math.min(grace + length / rate, total) - (Date.now() - started);
    const read = await withTimeout(reader.read(), Math.max(allowed, 0));
    if (read?.value) {
      length += read.value.byteLength;
      if (length <= limit) pieces.push(read.value);
      else pieces = [];
    }
    const isTooLong = length > limit;
    if (read === undefined || (isTooLong && length >= discarded)) {
      reader.cancel().catch(() => {});
      return isTooLong ? length : undefined;
    }
    if (read.done) return isTooLong ? length : joined(pieces, length);
  }
}

function joined(pieces, length) {
  if (pieces.length === 1) return pieces[0];
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** What `promise` resolves to; `undefined` if that takes longer than `millis`. */
async function withTimeout(promise, millis) {
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, millis);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
