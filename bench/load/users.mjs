// Simulated users: each sends a message, reads the answer, thinks, and sends the next one.
import { setTimeout as sleep } from "node:timers/promises";
import { chat, send, sendJson } from "./client.mjs";

/** The origin of the pages with the widget. */
export const SITE = "https://load.example";

/** The turns of a conversation, after which a user begins another one. */
const TURNS_OF_CONVERSATION = 12;

/** A visitor may send 30 messages a minute. */
const MIN_VISITOR_THINK_MS = 2_100;

/** A visitor's token is replaced this long before it expires. */
const TOKEN_RESERVE_MS = 30_000;

/** The longest pause that a `retry-after` causes. */
const MAX_PAUSE_MS = 30_000;

/** The kinds of users, in the order in which they are assigned: 3 stateless, 4 in sessions, 3 in the widget of every 10. */
export const KINDS = ["stream", "session_stream", "widget", "session", "stream", "session_stream", "widget", "whole", "session", "widget"];

/**
 * Runs `users` users until `isOver()`. `target` is `{ url, model, tenants }`, where a tenant is `{ id, key, publicKey }`.
 * Every request is added to `calls`: what `chat` returns, with `kind`, `tenant`, `session`, `name` (its message, unique)
 * and `at`. Failed requests other than chats have the kind of what was requested, and no name.
 */
export async function runUsers(target, { users, thinkMs, isOver }, calls) {
  const run = async (index) => {
    const user = new User(target, index, calls);
    // Users do not arrive at once.
    await sleep(Math.min(thinkMs, 10_000) * Math.random());
    while (!isOver()) {
      const call = await user.step();
      const pause = call.retryAfterMs ?? think(thinkMs);
      await pauseUnlessOver(Math.min(user.kind === "widget" ? Math.max(pause, MIN_VISITOR_THINK_MS) : pause, MAX_PAUSE_MS), isOver);
    }
  };
  await Promise.all(Array.from({ length: users }, (_, index) => run(index)));
}

/** A random time with this mean, at most four times as long. */
const think = (mean) => Math.min(-Math.log(1 - Math.random()), 4) * mean;

async function pauseUnlessOver(milliseconds, isOver) {
  for (let left = milliseconds; left > 0 && !isOver(); left -= 200) await sleep(Math.min(left, 200));
}

class User {
  #target;
  #calls;
  #index;
  #tenant;
  #sent = 0;
  #conversation = 0;
  #visitor = null;

  constructor(target, index, calls) {
    this.#target = target;
    this.#calls = calls;
    this.#index = index;
    this.#tenant = target.tenants[index % target.tenants.length];
    this.kind = KINDS[index % KINDS.length];
  }

  /** Sends one message, and now and then reads the conversation. */
  async step() {
    const name = `message ${this.#sent} of user ${this.#index}`;
    this.#sent += 1;
    if (this.#sent % TURNS_OF_CONVERSATION === 0) {
      this.#conversation += 1;
      this.#visitor = null;
    }
    const call = this.kind === "widget" ? await this.#sendAsVisitor(name) : await this.#sendWithKey(name);
    Object.assign(call, { kind: this.kind, tenant: this.#tenant.id, name, at: Date.now() });
    this.#calls.push(call);
    if (call.session && this.#sent % 5 === 0) await this.#readConversation(call.session);
    return call;
  }

  async #sendWithKey(name) {
    const session = this.kind.startsWith("session") ? `load-${this.#index}-${this.#conversation}` : null;
    const stream = this.kind.endsWith("stream");
    const body = { model: this.#target.model, messages: [{ role: "user", content: name }], max_tokens: 64, ...(stream ? { stream, stream_options: { include_usage: true } } : {}) };
    const call = await chat(this.#target.url, { key: this.#tenant.key, headers: session ? { "x-session-id": session } : {}, body });
    return { ...call, session };
  }

  async #sendAsVisitor(name) {
    const headers = { origin: SITE, ...this.#address() };
    if (!this.#visitor || Date.now() > this.#visitor.expires - TOKEN_RESERVE_MS) {
      const refused = await this.#openWidget(headers);
      if (refused) return { ...refused, session: null };
    }
    const body = { model: "auto", stream: true, messages: [{ role: "user", content: name }] };
    const session = this.#visitor.session_id;
    const call = await chat(this.#target.url, { key: this.#visitor.token, headers: { ...headers, "x-session-id": session }, body });
    return { ...call, session };
  }

  /** Opens a conversation or renews its token; returns the failure, if any. */
  async #openWidget(headers) {
    const { session_id: conversation, visitor_secret } = this.#visitor ?? {};
    const body = this.#visitor ? { conversation, visitor_secret } : {};
    try {
      const opened = await sendJson(`${this.#target.url}/v1/widget/session`, { method: "POST", key: this.#tenant.publicKey, headers, body });
      this.#visitor = { ...this.#visitor, ...opened, expires: Date.now() + opened.expires_in * 1000 };
      return null;
    } catch (error) {
      return { code: "widget_session_failed", status: 0, request: null, text: "", usage: null, firstMs: null, totalMs: 0, retryAfterMs: 2_000, error: error.message };
    }
  }

  /** A visitor's address. The platform's edge sets this header itself; a local runtime passes it through. */
  #address() {
    return this.#target.isLocal ? { "cf-connecting-ip": `203.0.${(this.#index >> 8) & 255}.${this.#index & 255}` } : {};
  }

  async #readConversation(session) {
    const started = performance.now();
    const key = this.#visitor?.token ?? this.#tenant.key;
    const headers = this.#visitor ? { origin: SITE, ...this.#address() } : {};
    const call = { kind: "read", code: "network", tenant: this.#tenant.id, name: null, at: Date.now() };
    try {
      const response = await send(`${this.#target.url}/v1/sessions/${encodeURIComponent(session)}/messages?limit=50`, { key, headers });
      const body = await response.json();
      call.code = response.status === 200 ? "ok" : (body.error?.code ?? `status_${response.status}`);
    } catch (error) {
      call.error = error.cause?.code ?? error.name;
    }
    this.#calls.push({ ...call, totalMs: performance.now() - started });
  }
}
