// Calls of the runtime on the hot path, with as few calls between wasm and JavaScript as possible: each
// call, and each promise that wasm awaits, costs more than all work done here.
// Headers are passed as lines, name and value in turn: neither can contain a line break.

/** A request's method, URL and headers, as lines. */
export function head(request) {
  let lines = `${request.method}\n${request.url}`;
  for (const [name, value] of request.headers) lines += `\n${name}\n${value}`;
  return lines;
}

/** Headers from lines. */
export function headers(lines) {
  const headers = new Headers();
  const split = lines === "" ? [] : lines.split("\n");
  for (let at = 0; at < split.length; at += 2) headers.set(split[at], split[at + 1]);
  return headers;
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

/** The next piece of a stream; `undefined` at its end. */
export async function next(reader) {
  const { value } = await reader.read();
  return value;
}

/**
 * Calls a Durable Object. `undefined` where it is overloaded; `null` after the timeout, when the object
 * may or may not have received the question.
 */
export async function ask(namespace, name, question, millis) {
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(() => resolve(null), millis);
  });
  try {
    return await Promise.race([namespace.getByName(name).ask(question), timeout]);
  } catch (error) {
    if (error.overloaded) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
