// What a load runs against: a stack of its own with a scripted provider, or a running gateway.
import { setTimeout as sleep } from "node:timers/promises";
import * as behaviours from "../../tests/harness/behaviours.mjs";
import { MODEL } from "../../tests/harness/client.mjs";
import { startStack } from "../../tests/harness/stack.mjs";
import { sendJson } from "./client.mjs";
import { SITE } from "./users.mjs";

/** Micro-dollars per million tokens, so that every call costs something. */
const PRICE = { input: 2_000_000, output: 8_000_000 };

/** The pause between two pieces of a scripted stream. */
const PIECE_MS = 20;

/** The name of a load's tenants: an interrupted run leaves some. */
const TENANT_NAME = "load test";

/** Starts a stack with a scripted provider: a target, with `provided` (see invariants.mjs), `stack` and `stop()`. */
export async function startOwn({ tenants }) {
  const provided = new Map();
  const stack = await startStack({ vars: (upstream) => ({ PROVIDERS: JSON.stringify([upstream.provider({ models: [{ id: MODEL, context: 32768, max_output: 4096, price: PRICE }] })]), LOG_LEVEL: "warn" }) });
  stack.upstream.always(answerAndRecord(stack.upstream, provided));
  const target = await withTenants({ url: stack.url, adminToken: stack.adminToken, model: MODEL, isLocal: true, isPriced: true }, tenants);
  return { ...target, provided, stack, roots: [process.pid], stop: () => stack.stop() };
}

/** A running gateway. `roots` are the processes of a local stack, whose memory is sampled. */
export async function connect({ url, adminToken, model, roots = [], tenants }) {
  const origin = url.replace(/\/+$/, "");
  const isLocal = ["127.0.0.1", "localhost", "[::1]"].includes(new URL(origin).hostname);
  const target = await withTenants({ url: origin, adminToken, isLocal, isPriced: false }, tenants);
  try {
    const offered = model ?? (await sendJson(`${origin}/v1/models`, { key: target.tenants[0].key })).data[0].id;
    return { ...target, model: offered, provided: null, roots, stop: () => removeTenants(target) };
  } catch (error) {
    await removeTenants(target);
    throw error;
  }
}

/** Answers with a text, and counts tokens, that are different for each message; records what it produced. */
function answerAndRecord(upstream, provided) {
  return async (request, response) => {
    upstream.requests.length = 0; // a long run must not keep every request
    const name = request.body.messages.at(-1).content;
    const number = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9_973, 7);
    const usage = { prompt_tokens: 20 + (number % 83), completion_tokens: 5 + (number % 53) };
    usage.total_tokens = usage.prompt_tokens + usage.completion_tokens;
    provided.set(name, [...(provided.get(name) ?? []), { tokensIn: usage.prompt_tokens, tokensOut: usage.completion_tokens }]);
    const pieces = [`Answer to ${name}:`, ...Array.from({ length: 3 + (number % 12) }, (_, at) => ` word ${at}`)];
    if (request.body.stream === true) return behaviours.stream({ pieces, delayMs: PIECE_MS, usage })(request, response);
    await sleep(pieces.length * PIECE_MS);
    return behaviours.completion({ content: pieces.join(""), usage })(request, response);
  };
}

/** Adds tenants of the load's own, without limits. */
async function withTenants(target, count) {
  const tenants = [];
  const post = (path, body) => sendJson(`${target.url}/admin${path}`, { method: "POST", key: target.adminToken, body });
  try {
    for (let index = 0; index < count; index += 1) {
      const limits = { requests_per_minute: "unlimited", burst: "unlimited", concurrent: "unlimited" };
      const { id } = await post("/tenants", { name: TENANT_NAME, tier: "enterprise", limits });
      tenants.push({ id });
      const { key } = await post(`/tenants/${id}/keys`, { name: "load", scopes: ["chat", "sessions:read", "sessions:write"] });
      const { key: publicKey } = await post(`/tenants/${id}/keys`, { name: "page", kind: "public", allowed_origins: [SITE] });
      Object.assign(tenants[index], { key, publicKey });
    }
  } catch (error) {
    await removeTenants({ ...target, tenants });
    throw error;
  }
  return { ...target, tenants };
}

/** Deletes the load's tenants with all their data. A deletion that has more to do responds with 202. */
async function removeTenants(target) {
  for (const { id } of target.tenants) {
    const url = `${target.url}/admin/tenants/${id}`;
    const isGone = async () => (await fetch(url, { method: "DELETE", headers: { authorization: `Bearer ${target.adminToken}` } })).status !== 202;
    while (!(await isGone())) await sleep(100);
  }
}
