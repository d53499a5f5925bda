// The entry of every Worker: what worker-build made of the crate (`worker.js`), and an answer for
// requests that die in it.
//
// A panic aborts the wasm instance. worker-build's code starts a fresh one for the next request, but
// nothing ever settles the promises of those that the dead one was serving: the runtime lets them
// hang, or ends them with a plain text of its own. Here each is answered at once, as any other error.
import { DurableObject } from "cloudflare:workers";
import Built, * as built from "./worker.js";

// The classes of Durable Objects.
export * from "./worker.js";

// Remote calls reach only what extends the runtime's own class, which wasm-bindgen's classes cannot say.
for (const Class of Object.values(built)) {
  if (Class.prototype?.alarm) {
    Object.setPrototypeOf(Class, DurableObject);
    Object.setPrototypeOf(Class.prototype, DurableObject.prototype);
  }
}

/** What our Rust calls the request's id where it leaves it for us: `clawless_edge::worker_entry`. */
const ID = "clawlessRequestId";

/** `ApiError::internal`, word for word. */
const BODY = JSON.stringify({
  error: {
    message: "Something failed on our side. Report the x-request-id of this answer if it persists.",
    type: "server_error",
    param: null,
    code: "internal_error",
  },
});

// wasm is woken by microtasks, several times a request and once or twice for each piece of a stream. The
// runtime's own way makes a function of the runtime's for every one of them; a promise does not.
const settled = Promise.resolve();

globalThis.queueMicrotask = (task) => {
  settled.then(() => {
    try {
      task();
    } catch (error) {
      reportError(error);
    }
  });
};

/** Ends one request or batch each, of all that are being served. */
const serving = new Set();

addEventListener("error", ({ error }) => {
  if (error instanceof WebAssembly.RuntimeError) for (const fail of serving) fail(error);
});

export default class extends Built {
  async fetch(request) {
    try {
      return await alive(() => super.fetch(request));
    } catch (error) {
      return refuse(request, this.env, error);
    }
  }

  /** The queue brings again what died. */
  queue(batch) {
    return alive(() => super.queue(batch));
  }
}

/** Does something that may die; then it fails at once. */
async function alive(work) {
  const { promise: death, reject: fail } = Promise.withResolvers();
  serving.add(fail);
  try {
    return await Promise.race([work(), death]);
  } finally {
    serving.delete(fail);
  }
}

function refuse(request, env, error) {
  const id = request[ID] ?? freshId();
  console.error(JSON.stringify({ time: Date.now(), level: "ERROR", message: "died", request_id: id, internal: String(error) }));
  const headers = { "x-request-id": id, "cache-control": "no-store", "content-type": "application/json", ...cors(request, env) };
  return new Response(request.method === "HEAD" ? null : BODY, { status: 500, headers });
}

/** As the gateway's `cors::expose`. */
function cors(request, { CORS_ORIGINS: origins = "*" }) {
  if (!new URL(request.url).pathname.startsWith("/v1/")) return {};
  const allow = (origin) => ({ "access-control-allow-origin": origin, "access-control-expose-headers": "x-request-id" });
  if (origins === "*") return allow("*");
  const origin = request.headers.get("origin");
  const known = origins.split(",").some((listed) => listed.trim() === origin);
  return { vary: "Origin", ...(known ? allow(origin) : {}) };
}

/** The id of a request that died before it had one: `req_` and a ULID. */
function freshId() {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const time = Array.from({ length: 10 }, (_, place) => digits[Math.floor(Date.now() / 32 ** (9 - place)) % 32]);
  const random = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => digits[byte % 32]);
  return `req_${time.join("")}${random.join("")}`;
}
