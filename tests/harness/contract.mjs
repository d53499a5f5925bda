// Checks responses of the Workers against the API's description: status, content type, headers, error code, body and
// events. A stack of stack.mjs registers its origins; then every body that a test reads with `fetch` is checked.
import Ajv2020 from "ajv/dist/2020.js";
import { operationOf } from "./description.mjs";

/** Headers that a response may have only if the description names them. */
const DESCRIBED_HEADERS = /^(x-(?!content-type-options)|idempotent-|retry-after|etag$|location$|content-security-policy$)/;

/** Objects whose schema does not say what else they may have must have nothing else: what is not described is not sent. */
function close(schema) {
  if (Array.isArray(schema)) return schema.map(close);
  if (schema === null || typeof schema !== "object") return schema;
  const closed = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, name === "enum" || name === "const" || name === "required" ? value : close(value)]));
  const isOpen = !("properties" in schema) || "additionalProperties" in schema;
  return isOpen ? closed : { ...closed, unevaluatedProperties: false };
}

const validators = new Map();

/** A validator of a schema within a description, compiled once. */
function validatorOf(description, schema) {
  const name = `${description.info.title} ${JSON.stringify(schema)}`;
  if (!validators.has(name)) {
    const ajv = new Ajv2020({ strict: false, allErrors: false, validateFormats: false });
    validators.set(name, ajv.compile({ ...close(schema), components: { schemas: close(description.components.schemas) } }));
  }
  return validators.get(name);
}

/** Throws unless a value matches a schema of a description. */
export function assertMatches(description, schema, value, what) {
  const validate = validatorOf(description, schema);
  if (!validate(value)) {
    const [{ instancePath, message, params }] = validate.errors.slice(-1);
    throw new Error(`${what} differs from the description at ${instancePath || "/"}: ${message} ${JSON.stringify(params)}\n${JSON.stringify(value)}`);
  }
}

/** Throws unless the description has the response's status, content type and headers. Returns the described body. */
function assertHead({ method, operation, description }, response, what) {
  const described = operation.responses[response.status];
  if (!described) throw new Error(`${what}: status ${response.status} is not described`);
  for (const [name] of response.headers) {
    if (DESCRIBED_HEADERS.test(name) && !(name in (described.headers ?? {}))) throw new Error(`${what}: the header ${name} of status ${response.status} is not described`);
  }
  const type = response.headers.get("content-type")?.split(";")[0];
  const media = described.content?.[type];
  if (method !== "HEAD" && !media) throw new Error(`${what}: content type ${type} of status ${response.status} is not described`);
  return { described, media, type };
}

/** Throws unless a response with this text is as described. Unknown routes and preflights are not described. */
export function assertDescribed(method, url, response, text) {
  const found = operationOf(method, new URL(url).pathname);
  if (!found || method === "OPTIONS") return;
  const what = `${method} ${found.path} (${response.headers.get("x-request-id")})`;
  const { described, media, type } = assertHead(found, response, what);
  if (method === "HEAD") return;
  if (type === "application/json") {
    const body = JSON.parse(text);
    assertMatches(found.description, media.schema, body, `${what}, status ${response.status}`);
    const code = response.status >= 400 ? body.error?.code : undefined;
    if (code !== undefined && !described["x-error-codes"]?.includes(code)) throw new Error(`${what}: the error ${code} is not described for status ${response.status}`);
  } else if (type === "text/event-stream") {
    for (const line of text.split("\n")) assertEvent(found, line, what);
  }
}

/** Throws unless a line of a stream is a comment or has described data. */
function assertEvent({ operation, description }, line, what) {
  const data = line.startsWith("data:") ? line.slice("data:".length).trim() : undefined;
  if (data === undefined || data === "[DONE]") return;
  const media = operation.responses[200].content["text/event-stream"];
  assertMatches(description, media["x-event-schema"], JSON.parse(data), `an event of ${what}`);
}

const origins = new Set();
let isWatching = false;

/** Checks every body that tests read from these origins. */
export function watch(urls) {
  for (const url of urls) origins.add(url);
  if (isWatching) return;
  isWatching = true;
  const plain = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const response = await plain(input, init);
    const url = input instanceof Request ? input.url : String(input);
    const method = (init?.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
    return origins.has(new URL(url).origin) ? checked(method, url, response) : response;
  };
}

/** A response whose body is checked when a test reads it whole; `checkEvent` checks a part that arrived. */
function checked(method, url, response) {
  const read = response.text.bind(response);
  const text = async () => {
    const body = await read();
    assertDescribed(method, url, response, body);
    return body;
  };
  const checkEvent = (event) => {
    const found = operationOf(method, new URL(url).pathname);
    if (found && response.status === 200) for (const line of event.split("\n")) assertEvent(found, line, `${method} ${found.path}`);
  };
  return Object.assign(response, { text, json: async () => JSON.parse(await text()), checkEvent });
}
