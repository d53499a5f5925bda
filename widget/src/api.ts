// Requests to the server: the visitor's token, errors, streams.

import { eventParser } from "./sse.ts";
import type { Store, Unsent } from "./store.ts";
import type { Settings, UserTokenSource } from "./types.ts";

/** The answer of `POST /v1/widget/session`. */
export interface Session {
  token: string;
  expires_in: number;
  session_id: string;
  visitor_secret?: string;
  settings?: Settings;
  resumable?: string | null;
}

/** A stored message. */
export interface StoredMessage {
  id: string;
  role: string;
  request_id: string;
  message: { content?: unknown };
}

/** A refused request or a broken answer. */
export class ApiError extends Error {
  /** The HTTP status, or 0 if an answer broke. */
  declare readonly status: number;
  declare readonly code: string;
  /** Seconds after which a repeat can succeed; `undefined` if a repeat is useless. */
  declare readonly wait: number | undefined;

  constructor(status: number, error: { message?: string; code?: string } = {}, wait?: number) {
    super(error.message);
    this.status = status;
    this.code = error.code ?? `${status}`;
    this.wait = wait;
  }
}

/** Time without a byte after which a connection counts as lost, in milliseconds. The server sends a comment every 10 s. */
const IDLE_TIMEOUT = 45e3;

/** Time before its expiry at which a token is renewed, in milliseconds. */
const RENEWAL = 30e3;

interface Options {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** The client of one key. */
export type Api = ReturnType<typeof createApi>;

/** Creates the client of a key. `onSession` sees each session, `user` identifies a signed-in user. */
export function createApi(
  base: string,
  key: string,
  store: Store,
  lock: <Result>(name: string, work: () => Promise<Result>) => Promise<Result>,
  onSession: (session: Session) => void,
  user: UserTokenSource | null,
  lifetime: AbortSignal,
) {
  let session: Session | undefined;
  let opening: Promise<Session> | undefined;
  let renewAt = 0;

  async function request(path: string, token: string, signal: AbortSignal, { method, headers, body }: Options) {
    const response = await fetch(base + path, {
      method: method ?? (body ? "POST" : "GET"),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      body: body ? JSON.stringify(body) : null,
      signal,
    });
    if (response.ok) return response;
    const { error } = await response.json().catch(() => ({}));
    throw new ApiError(response.status, error, waitOf(response));
  }

  /** The session, with a token that is still valid. */
  async function open(): Promise<Session> {
    if (session && Date.now() < renewAt) return session;
    // Two tabs without a conversation must not create two.
    opening ??= lock("session", async () => {
      const { id, secret } = store.kept();
      const response = await request("/v1/widget/session", key, lifetime, {
        body: {
          conversation: id,
          visitor_secret: secret,
          user_token: await user?.(),
          widget_version: VERSION,
        },
      });
      const opened: Session = await response.json();
      if (opened.visitor_secret) store.keep({ id: opened.session_id, secret: opened.visitor_secret });
      renewAt = Date.now() + opened.expires_in * 1000 - RENEWAL;
      session = opened;
      onSession(opened);
      return opened;
    }).finally(() => {
      opening = undefined;
    });
    return opening;
  }

  /** A request with the visitor's token. A rejected token is renewed once. */
  async function call(path: string, signal: AbortSignal, options: Options = {}, isRepeat = false): Promise<Response> {
    const opened = await open();
    const { session_id } = opened;
    try {
      return await request(path.replace("{id}", session_id), opened["token"], signal, {
        ...options,
        headers: { "x-session-id": session_id, ...options.headers },
      });
    } catch (error) {
      if (isRepeat || (error as ApiError).status !== 401) throw error;
      renewAt = 0;
      return call(path, signal, options, true);
    }
  }

  /** Requests an answer and reads its stream. An end without `[DONE]` is a lost connection. */
  async function stream(path: string, abort: AbortController, options: Options, onText: (text: string) => void) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stayAlive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), IDLE_TIMEOUT);
    };
    try {
      stayAlive();
      const { body } = await call(path, abort.signal, options);
      const reader = (body as ReadableStream<Uint8Array>).getReader();
      const decoder = new TextDecoder();
      let isDone = false;
      let text = "";
      const parse = eventParser((data) => {
        if (data === "[DONE]") {
          isDone = true;
          return;
        }
        const { error, choices } = JSON.parse(data);
        if (error) throw new ApiError(0, error);
        text += choices?.[0]?.delta?.content ?? "";
      });
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        stayAlive();
        // One read has many events.
        text = "";
        try {
          parse(decoder.decode(value, { stream: true }));
        } finally {
          if (text) onText(text);
        }
      }
      // The connection was lost.
      if (!isDone) throw new TypeError();
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    open,

    /** Forgets the token: the next request opens another session. */
    forget() {
      session = undefined;
    },

    /** Sends a message and streams the answer. */
    chat: ({ id, text }: Unsent, abort: AbortController, onText: (text: string) => void) =>
      stream(
        "/v1/chat/completions",
        abort,
        {
          headers: { "idempotency-key": id },
          body: { model: "auto", stream: true, messages: [{ role: "user", content: text }] },
        },
        onText,
      ),

    /** Streams the answer of a turn that still runs. */
    resume: (requestId: string, abort: AbortController, onText: (text: string) => void) =>
      stream(`/v1/sessions/{id}/turns/${requestId}`, abort, { headers: { accept: "text/event-stream" } }, onText),

    /** The newest messages, newest first. */
    loadMessages: async (): Promise<StoredMessage[]> => {
      const response = await call("/v1/sessions/{id}/messages?order=desc&limit=100", lifetime);
      return (await response.json()).data;
    },

    /** Deletes the conversation, or one of its messages. */
    remove: (message?: string) =>
      call(`/v1/sessions/{id}${message ? `/messages/${message}` : ""}`, lifetime, { method: "DELETE" }),
  };
}

/** Seconds after which a refused request can be repeated, at most a minute. */
function waitOf({ headers, status }: Response): number | undefined {
  if (headers.get("x-should-retry") === "false" || ![409, 429, 503].includes(status)) return undefined;
  return Math.min(Number(headers.get("retry-after")) || 1, 60);
}

/** The text of a stored message; parts that are not text are left out. */
export function textOf({ message: { content } }: StoredMessage): string {
  if (Array.isArray(content)) return content.map((part) => part.text ?? "").join("");
  return typeof content === "string" ? content : "";
}
