// What the examples of docs/api/examples need: a stack, a model that answers by the content of its
// requests, and resources that the examples name by environment variables.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { completion, completionOrStream } from "../behaviours.mjs";
import { complete } from "../client.mjs";
import { startStack } from "../stack.mjs";
import { until } from "../wait.mjs";
import { openSession, PNG, SITE } from "../widget.mjs";

const textOf = ({ content }) => (typeof content === "string" ? content : content.map(({ text }) => text ?? "").join(""));

/**
 * A model whose answers depend on what arrives: it calls the tool that fits the question, repeats results
 * of tools, writes JSON where a schema is requested, and knows names from the conversation only.
 */
function answerByContent(request, response) {
  const { messages, tools = [], response_format: format } = request.body;
  const last = messages.at(-1);
  const offered = tools.map(({ function: { name } }) => name);
  const call = (name, input) => completion({ content: null, finish_reason: "tool_calls", message: { tool_calls: [{ id: `call_${name}`, type: "function", function: { name, arguments: JSON.stringify(input) } }] } });
  const say = (content) => completionOrStream({ content });
  const answer = () => {
    if (last.role === "tool") return say(`The tool says: ${last.content}`);
    if (format?.type === "json_schema") return say(JSON.stringify({ name: "Bern", population: 134_506 }));
    if (Array.isArray(last.content)) return say(`I see ${last.content.filter(({ type }) => type === "image_url").map(({ image_url: { url } }) => url.slice(-8))}`);
    if (/weather/.test(textOf(last)) && offered.includes("weather")) return call("weather", { city: "Bern" });
    if (/time/.test(textOf(last)) && offered.includes("time_now")) return call("time_now", {});
    const name = messages.map((message) => textOf(message).match(/My name is (\w+)/)?.[1]).find(Boolean);
    return say(/my name\?/.test(textOf(last)) ? `Your name is ${name}.` : "Hello there.");
  };
  return answer()(request, response);
}

/** Starts the stack of the examples; the caller calls `stop()`. */
export async function startWorld() {
  const stack = await startStack({ tenants: 1 });
  stack.upstream.always(answerByContent);
  await stack.updateSettings(stack.tenants[0].tenant_id, { tools: ["time_now"], limits: { requests_per_minute: 6000, burst: 1000 } });
  return new World(stack);
}

class World {
  #made = 0;
  #shared = new Map();
  #folder = mkdtempSync(path.join(os.tmpdir(), "clawless-examples-"));

  constructor(stack) {
    this.stack = stack;
  }

  async stop() {
    rmSync(this.#folder, { recursive: true });
    await this.stack.stop();
  }

  /** The variables of every example. */
  variables(url) {
    return { CLAWLESS_URL: url, CLAWLESS_API_KEY: this.stack.key, CLAWLESS_ADMIN_TOKEN: this.stack.adminToken };
  }

  #name(kind) {
    this.#made += 1;
    return `${kind}-${this.#made}`;
  }

  /** Calls a route of the API with a tenant's key: the parsed body. Fails unless the status is `status`. */
  async call(method, path, { body, key = this.stack.key, status = 200 } = {}) {
    const response = await fetch(`${this.stack.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, ...(body ? { "content-type": "application/json" } : {}) },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }

  /** Calls a route of the admin API: the parsed body. Fails unless the status is `status`. */
  async admin(method, path, body, { status = 200, token } = {}) {
    // Rate limits apply to an address; the examples have another one.
    const response = await this.stack.admin(method, path, body, { headers: { "cf-connecting-ip": "198.51.100.7" }, ...(token ? { token } : {}) });
    assert.equal(response.status, status, `${method} ${path}: ${JSON.stringify(response.body)}`);
    return response.body;
  }

  /** A session with one turn. */
  async session({ key, content = "Hello!", headers = {} } = {}) {
    const SESSION_ID = this.#name("session");
    const { response } = await complete(this.stack, { messages: [{ role: "user", content }] }, { key, headers: { "x-session-id": SESSION_ID, ...headers } });
    return { SESSION_ID, REQUEST_ID: response.headers.get("x-request-id") };
  }

  /** A stored response. */
  async response(fields = {}) {
    const { id } = await this.call("POST", "/v1/responses", { body: { model: "auto", input: "Hello!", ...fields } });
    return { RESPONSE_ID: id };
  }

  /** A conversation with one response. */
  async conversation() {
    const { id: conversation } = await this.call("POST", "/v1/conversations", { body: { metadata: {} } });
    return { CONVERSATION_ID: conversation, ...(await this.response({ conversation })) };
  }

  /** A session with one turn and the id of its first message. */
  async message() {
    const session = await this.session();
    const { data } = await this.call("GET", `/v1/sessions/${session.SESSION_ID}/messages`);
    return { ...session, MESSAGE_ID: data[0].id };
  }

  /** A tenant with a key and a session; `key` is the key itself. */
  async tenant() {
    const tenant = await this.admin("POST", "/tenants", { name: this.#name("tenant"), tier: "pro" }, { status: 201 });
    const made = await this.admin("POST", `/tenants/${tenant.id}/keys`, { name: "server", scopes: ["chat", "sessions:read"] }, { status: 201 });
    const session = await this.session({ key: made.key });
    return { TENANT_ID: tenant.id, KEY_ID: made.id, ...session, key: made.key };
  }

  /** One tenant for all examples that only read; its usage is booked. */
  sharedTenant() {
    return this.#once("tenant", async () => {
      const tenant = await this.tenant();
      await this.stack.receipts(tenant.TENANT_ID, 1);
      return tenant;
    });
  }

  /** A tenant with a public key and its widget. */
  async site() {
    const tenant = await this.admin("POST", "/tenants", { name: this.#name("site"), tier: "pro" }, { status: 201 });
    const made = await this.admin("POST", `/tenants/${tenant.id}/keys`, { name: "page", kind: "public", allowed_origins: [SITE] }, { status: 201 });
    await this.admin("PATCH", `/tenants/${tenant.id}/keys/${made.id}/widget`, { title: "Shop" });
    return { TENANT_ID: tenant.id, KEY_ID: made.id, PUBLIC_KEY: made.key, SITE_ORIGIN: SITE, IMAGE_BASE64: PNG };
  }

  /** Opens a session of the widget of such a tenant. */
  openWidget({ PUBLIC_KEY }) {
    return openSession(this.stack, PUBLIC_KEY, {}, { origin: SITE });
  }

  /** An operator's token: its id, and `token` itself. */
  async token() {
    const { id, token } = await this.admin("POST", "/tokens", { name: this.#name("operator"), role: "operator" }, { status: 201 });
    return { TOKEN_ID: id, token };
  }

  /** A file with an image, and the `ending` of its text in base64. */
  image() {
    const bytes = randomBytes(60);
    const IMAGE = path.join(this.#folder, `${this.#name("image")}.png`);
    writeFileSync(IMAGE, bytes);
    return { IMAGE, ending: bytes.toString("base64").slice(-8) };
  }

  /** Waits until the tenant of the examples has usage. */
  usage() {
    return this.#once("usage", async () => {
      await complete(this.stack, {});
      await until(async () => (await this.call("GET", "/v1/usage")).data.length > 0, "usage is booked");
      return {};
    });
  }

  /** More sessions of one user than a page has. */
  manySessions() {
    return this.#once("sessions", async () => {
      await this.stack.rows(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101)
         INSERT INTO sessions (tenant_id, id, title, metadata, created_at, updated_at)
         SELECT ?1, 'rome-' || i, 'A day in Rome', '{"user":"42"}', ?2, ?2 FROM n`,
        this.stack.tenants[0].tenant_id,
        Date.now(),
      );
      return {};
    });
  }

  async #once(name, make) {
    if (!this.#shared.has(name)) this.#shared.set(name, make());
    return this.#shared.get(name);
  }
}
