// What the hot path asks of the runtime, in as few crossings between wasm and JavaScript as can be:
// each crossing and each promise that wasm waits for costs more than all that is done here.
// Lists of headers cross as lines, name and value in turns: neither can hold a line break.

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

/** An answer's status, and the values of these headers (lines too), each empty where it is absent. */
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
 * Asks an object. `undefined` where it has too much to do; `null` where it is silent for too long:
 * whether it took the question is not known then.
 */
export async function ask(namespace, name, question, millis) {
  let timer;
  const silence = new Promise((resolve) => {
    timer = setTimeout(() => resolve(null), millis);
  });
  try {
    return await Promise.race([namespace.getByName(name).ask(question), silence]);
  } catch (error) {
    if (error.overloaded) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
