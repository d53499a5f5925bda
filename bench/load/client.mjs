// One chat request of a simulated user, with its times, and the requests of a widget's visitor.
//
// The harness of the tests replaces the global `fetch` by one that checks every response, which costs more than the
// gateway: this module keeps the plain one.
import { eventsAsTheyArrive, readEvents } from "../../tests/harness/client.mjs";

const plainFetch = globalThis.fetch;

/** A request that fails after this time counts as an error. */
const REQUEST_TIMEOUT_MS = 120_000;

/** Sends a request; the caller reads the response. */
export function send(url, { method = "GET", key, headers = {}, body } = {}) {
  return plainFetch(url, {
    method,
    headers: { ...(key ? { authorization: `Bearer ${key}` } : {}), ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  });
}

/** Sends a request and parses its JSON; throws unless the status is 2xx. */
export async function sendJson(url, options) {
  const response = await send(url, options);
  const text = await response.text();
  if (!response.ok) throw new Error(`${options?.method ?? "GET"} ${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/**
 * Sends a chat request and reads its answer: `{ code, status, request, text, usage, firstMs, totalMs, retryAfterMs }`.
 * `code` is `ok` if the client saw a complete answer, else the error's code, `broken` for a stream without its end, or
 * `network`.
 */
export async function chat(url, { key, headers, body }) {
  const started = performance.now();
  const elapsed = () => performance.now() - started;
  const call = { code: "network", status: 0, request: null, text: "", usage: null, firstMs: null, totalMs: 0, retryAfterMs: null };
  try {
    const response = await send(`${url}/v1/chat/completions`, { method: "POST", key, headers, body });
    call.status = response.status;
    call.request = response.headers.get("x-request-id");
    if (response.status !== 200) Object.assign(call, await refusal(response));
    else if (body.stream) await readStream(response, call, elapsed);
    else readWhole(await response.json(), call, elapsed);
  } catch (error) {
    call.error = error.cause?.code ?? error.name;
  }
  call.totalMs = elapsed();
  return call;
}

async function refusal(response) {
  const retryAfter = Number(response.headers.get("retry-after"));
  const text = await response.text();
  let code = `status_${response.status}`;
  try {
    code = JSON.parse(text).error.code ?? code;
  } catch {
    // A proxy's page.
  }
  return { code, retryAfterMs: retryAfter > 0 ? retryAfter * 1000 : null };
}

function readWhole(answer, call, elapsed) {
  call.firstMs = elapsed();
  call.text = answer.choices[0].message.content;
  call.usage = answer.usage;
  call.code = "ok";
}

async function readStream(response, call, elapsed) {
  const events = [];
  call.code = "broken";
  for await (const event of eventsAsTheyArrive(response)) {
    call.firstMs ??= event.startsWith("data:") ? elapsed() : null;
    events.push(event);
  }
  const { chunks, done, text } = readEvents(`${events.join("\n\n")}\n\n`);
  const failed = chunks.find((chunk) => chunk.error);
  call.text = text;
  call.usage = chunks.findLast((chunk) => chunk.usage)?.usage ?? null;
  if (done && !failed) call.code = "ok";
  else if (failed) call.code = `stream_${failed.error.code}`;
}
