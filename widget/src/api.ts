// Requests to the server: the visitor's token, errors, streams.

import { eventParser } from "./sse.ts";
import type { Store, Unsent } from "./store.ts";
import type { Strings } from "./strings.ts";
import type { Settings, UserTokenSource } from "./types.ts";

/** The answer of `POST /v1/widget/session`. */
export interface Session {
  token: string;
  expires_in: number;
  session_id: string;
  visitor_secret?: string;
  settings?: Settings;
  /** The texts of the language that was requested. */
  strings?: Partial<Strings>;
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

/** Time after which a request without a stream is given up, in milliseconds. */
const REQUEST_TIMEOUT = 30e3;

/** Time after which the site's own answer is given up, in milliseconds. */
const USER_TIMEOUT = 10e3;

/** Time before its expiry at which a token is renewed, in milliseconds. */
const RENEWAL = 30e3;

/** Waits for work until a signal gives it up; the work itself goes on. */
const within = <Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> =>
  new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
    work.then(resolve, reject);
  });

/** The token of a user. The source is the page's code: it may throw, never answer, or return anything. */
export function tokenOf(source: UserTokenSource): Promise<string> {
  const work = Promise.resolve().then(source);
  return within(AbortSignal.timeout(USER_TIMEOUT), work).then(
    (token) => {
      if (!token || typeof token !== "string") throw new ApiError(401, { code: "user_token" });
      return token;
    },
    (error) => {
      throw new ApiError(401, { code: "user_token", message: `${error}` });
    },
  );
}

interface Options {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** The client of one key. */
export type Api = ReturnType<typeof createApi>;

/**
 * Creates the client of a key. `onSession` sees each session, `user` identifies a signed-in user. `opened` is one that
 * was just opened.
 */
export function createApi(
  base: string,
  key: string,
  store: Store,
  lock: <Result>(name: string, work: () => Promise<Result>) => Promise<Result>,
  onSession: (session: Session) => void,
  user: UserTokenSource | null,
  language: string,
  lifetime: AbortSignal,
  opened?: Session,
) {
  let session = opened;
  let opening: Promise<Session> | undefined;
  let renewAt = session ? Date.now() + RENEWAL : 0;

  async function request(path: string, token: string, signal: AbortSignal, { method, headers, body }: Options) {
    const response = await fetch(base + path, {
      method: method ?? (body ? "POST" : "GET"),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      body: body ? JSON.stringify(body) : null,
      signal,
    });
    if (response.ok) return response;
    const answer = await response.json().catch(() => 0);
    throw new ApiError(response.status, answer?.error ?? {}, waitOf(response));
  }

  /** A signal for a request without a stream. */
  const limit = (signal: AbortSignal) => AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT)]);

  /** The session, with a token that is still valid. */
  function open(signal: AbortSignal): Promise<Session> {
    if (session && Date.now() < renewAt) return Promise.resolve(session);
    // Two tabs without a conversation must not create two.
    opening ??= lock("session", async () => {
      const { id, secret } = store.kept();
      const user_token = user && (await tokenOf(user));
      const response = await request("/v1/widget/session", key, limit(lifetime), {
        body: {
          conversation: id,
          visitor_secret: secret,
          ...(user_token && { user_token }),
          widget_version: VERSION,
          ["language"]: language,
        },
      });
      const answer: Session = await response.json();
      if (answer.visitor_secret) store.keep({ id: answer.session_id, secret: answer.visitor_secret });
      renewAt = Date.now() + answer.expires_in * 1000 - RENEWAL;
      session = answer;
      onSession(answer);
      return answer;
    }).finally(() => {
      opening = undefined;
    });
    return within(signal, opening);
  }

  /** A request with the visitor's token. A rejected token is renewed once, and a deleted conversation is replaced. */
  async function call(path: string, signal: AbortSignal, options: Options = {}, isRepeat = false): Promise<Response> {
    const current = await open(signal);
    const { session_id } = current;
    try {
      return await request(path.replace("{id}", session_id), current["token"], signal, {
        ...options,
        headers: { "x-session-id": session_id, ...options.headers },
      });
    } catch (error) {
      if (isRepeat || ![401, 404].includes((error as ApiError).status)) throw error;
      renewAt = 0;
      return call(path, signal, options, true);
    }
  }

  /**
   * Requests an answer and reads its stream. An end without `[DONE]` is a lost connection. `onTurn` gets the request id
   * of the answer's turn: of the first request, if this one is a repeat.
   */
  async function stream(
    path: string,
    abort: AbortController,
    options: Options,
    onText: (text: string) => void,
    onTurn?: (turn: string) => void,
  ) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stayAlive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), IDLE_TIMEOUT);
    };
    try {
      stayAlive();
      const { body, headers } = await call(path, abort.signal, options);
      onTurn?.(headers.get("x-original-request-id") ?? headers.get("x-request-id") ?? "");
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
    chat: (
      { id, text }: Unsent,
      abort: AbortController,
      onText: (text: string) => void,
      onTurn: (turn: string) => void,
    ) =>
      stream(
        "/v1/chat/completions",
        abort,
        {
          headers: { "idempotency-key": id },
          body: { model: "auto", stream: true, messages: [{ role: "user", content: text }] },
        },
        onText,
        onTurn,
      ),

    /** Streams the answer of a turn that still runs. */
    resume: (requestId: string, abort: AbortController, onText: (text: string) => void) =>
      stream(`/v1/sessions/{id}/turns/${requestId}`, abort, { headers: { accept: "text/event-stream" } }, onText),

    /** The newest messages, newest first. */
    loadMessages: async (signal: AbortSignal): Promise<StoredMessage[]> => {
      const response = await call("/v1/sessions/{id}/messages?order=desc&limit=100", limit(signal));
      return (await response.json()).data;
    },

    /** Deletes the conversation, or a part of it, such as `/messages/…`. */
    remove: (part: string, signal: AbortSignal) =>
      call(`/v1/sessions/{id}${part}`, limit(signal), { method: "DELETE" }),
  };
}

/** Seconds after which a refused request can be repeated; the header has seconds or a date. */
function waitOf({ headers, status }: Response): number | undefined {
  if (headers.get("x-should-retry") === "false" || ![409, 429, 503].includes(status)) return undefined;
  const after = headers.get("retry-after") ?? "";
  return Math.max(1, Number(after) || (Date.parse(after) - Date.now()) / 1000 || 0);
}

/** The text of a stored message; parts that are not text are left out. */
export function textOf({ message: { content } }: StoredMessage): string {
  if (Array.isArray(content)) return content.map((part) => part.text ?? "").join("");
  return typeof content === "string" ? content : "";
}
