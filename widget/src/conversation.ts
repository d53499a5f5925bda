// The conversation: sends unsent messages one after another, receives answers, and repeats what failed.
// Knows no DOM: what the visitor sees is behind `ConversationView`.

import { type Api, ApiError, textOf } from "./api.ts";
import { newId, type Store, type Unsent } from "./store.ts";
import type { Role } from "./types.ts";

/** Why there is no answer, or only a part of one. */
export type Problem = "stopped" | "interrupted" | "failed" | "denied" | "network";

/** Why the visitor waits, or what a request without an answer met. */
export type Notice = "offline" | "busy" | Problem;

/** An answer on the screen. */
export interface Answer {
  /** Appends text. */
  write(text: string): void;
  /** The next text replaces what is there: the answer is received again. */
  restart(): void;
  end(problem?: Problem): void;
}

/** What the conversation shows. */
export interface ConversationView {
  /** Removes all messages. */
  clear(): void;
  /** Shows stored messages, oldest first. */
  history(messages: { role: Role; text: string }[]): void;
  /** Shows a message that waits, unless it is on the screen. */
  queued(item: Unsent): void;
  /** Starts an answer, below its message if there is one. */
  answer(item?: Unsent): Answer;
  /** Whether an answer is being received. */
  receiving(isReceiving: boolean): void;
  /** Shows a notice, or none. */
  notice(notice?: Notice): void;
  /** Removes the visitor's last message and what follows it. */
  removeLastTurn(): void;
  report(error: unknown): void;
  /** The conversation was left, and if `isErased` also deleted. */
  left(isErased: boolean): void;
}

/** Runs work under a lock of the whole browser: one tab at a time. */
export type Lock = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

/** Attempts before a network error is shown. Later ones follow when the visitor asks or the browser is online again. */
const MAX_ATTEMPTS = 6;

/** Until the browser is online again. */
const FOREVER = 1e9;

/** Reasons for which work is given up. */
const STOP = "stop";
const LEAVE = "leave";

/** A conversation. */
export type Conversation = ReturnType<typeof createConversation>;

/** Creates the conversation of a store. */
export function createConversation(api: Api, store: Store, view: ConversationView, lock: Lock, lifetime: AbortSignal) {
  let current: AbortController | undefined;
  let starting: Promise<void> | undefined;
  let isWanted = false;
  let isSending = false;
  // Another tab has received an answer.
  let isStale = false;
  /** Messages that wait for the visitor. */
  const skipped = new Set<string>();

  const next = () => store.unsent().find(({ id }) => !skipped.has(id));

  /** Does work that needs the network, and repeats it while that can help. Throws the last error, or why it was given up. */
  async function persist(work: (abort: AbortController) => Promise<void>): Promise<void> {
    for (let attempt = 1, delay: number | undefined = 0; ; attempt++) {
      // This widget was replaced by another one.
      if (lifetime.aborted) throw LEAVE;
      const abort = new AbortController();
      current = abort;
      try {
        if (!navigator.onLine) {
          view.notice("offline");
          delay = FOREVER;
        }
        if (delay) await pause(delay, abort.signal);
        return await work(abort);
      } catch (error) {
        const { reason } = abort.signal;
        if (reason === STOP || reason === LEAVE) throw reason;
        delay = delayOf(error, attempt);
        if (delay === undefined) throw error;
        view.notice(error instanceof ApiError ? "busy" : "network");
      } finally {
        // Removes the listeners of the pause.
        abort.abort();
      }
    }
  }

  /** Receives an answer. Returns false if the page was left. */
  async function receive(
    request: (abort: AbortController, onText: (text: string) => void) => Promise<void>,
    item?: Unsent,
  ): Promise<boolean> {
    let answer: Answer | undefined;
    let problem: Problem | undefined;
    try {
      await persist(async (abort) => {
        answer ??= view.answer(item);
        answer.restart();
        view.receiving(true);
        await request(abort, (text) => {
          view.notice();
          answer?.write(text);
        });
      });
    } catch (error) {
      if (error === LEAVE) {
        // A resumed answer is shown again from the start.
        if (!item) starting = undefined;
        view.receiving(false);
        return false;
      }
      problem = error === STOP ? "stopped" : problemOf(error);
      if (error !== STOP) view.report(error);
    }
    if (item) {
      // After a network error the message stays in the queue.
      if (problem === "network") skipped.add(item.id);
      else store.remove(item.id);
    }
    view.notice();
    view.receiving(false);
    (answer ?? view.answer(item)).end(problem);
    return true;
  }

  /** Sends all unsent messages. Further calls do nothing until it is finished. */
  async function flush(): Promise<void> {
    if (isSending || !next()) return;
    isSending = true;
    await lock("send", async () => {
      // Another tab may have sent them: the queue is read again under the lock.
      for (let item = next(); item; item = next()) {
        const message = item;
        view.queued(message);
        if (!(await receive((abort, onText) => api.chat(message, abort, onText), message))) return;
      }
    }).catch(() => {});
    isSending = false;
    refresh();
  }

  /** Shows what another tab has received, unless an answer is being received here. */
  function refresh(): void {
    if (!isStale || isSending) return;
    isStale = false;
    showHistory().catch(() => {});
  }

  /** Shows the stored messages. Returns the request ids of their turns. */
  async function showHistory(): Promise<string[]> {
    const data = await api.loadMessages();
    view.clear();
    view.history(
      data
        .map((stored) => ({ role: stored.role as Role, text: textOf(stored) }))
        .filter(({ role, text }) => text && /user|assistant/.test(role))
        .reverse(),
    );
    store.unsent().forEach(view.queued);
    return data.map(({ request_id }) => request_id);
  }

  /** Shows the conversation as the server has it, and receives an answer that still runs. */
  async function show(): Promise<void> {
    const { resumable, visitor_secret } = await api.open();
    view.notice();
    // Only a new session comes with a secret.
    const turns = visitor_secret ? [] : await showHistory();
    if (!resumable || turns.includes(resumable) || next()) return;
    await receive((abort, onText) => api.resume(resumable, abort, onText));
    // The visitor's message of that turn is stored now.
    await showHistory();
  }

  /** Shows the conversation, once unless it fails, and sends what is unsent. */
  function start(): Promise<void> {
    isWanted = true;
    store.unsent().forEach(view.queued);
    starting ??= persist(show).catch((error) => {
      starting = undefined;
      if (error === LEAVE) return;
      view.notice(problemOf(error));
      view.report(error);
    });
    return starting.then(flush);
  }

  function restart(): void {
    skipped.clear();
    view.notice();
    if (isWanted) void start();
  }

  const listen = (name: string, handler: (event: never) => void) =>
    addEventListener(name, handler as (event: Event) => void, { signal: lifetime });
  const leave = () => current?.abort(LEAVE);
  // A page in the back/forward cache holds no lock and no connection.
  listen("pagehide", leave);
  listen("pageshow", ({ persisted }: PageTransitionEvent) => persisted && restart());
  listen("online", restart);
  listen("offline", () => view.notice("offline"));
  listen("storage", ({ key, newValue }: StorageEvent) => {
    if (!starting || newValue !== null || !key?.startsWith(store.prefix)) return;
    isStale = true;
    refresh();
  });
  lifetime.addEventListener("abort", leave);

  /** Puts a message into the queue and sends it when the conversation is shown. */
  function send(text: string): void {
    store.add({ id: newId(), text });
    void start();
  }

  function reset(isErased = false): void {
    current?.abort(STOP);
    store.clear();
    api.forget();
    view.clear();
    starting = undefined;
    view.left(isErased);
  }

  return {
    start,
    send,
    reset: () => reset(),

    /** Stops the answer that is being received; its text stays. */
    stop: () => current?.abort(STOP),

    /** Sends a message again that was not answered. */
    retry(item: Unsent): void {
      skipped.delete(item.id);
      store.add(item);
      void start();
    },

    /** Removes the last turn, on the server if it is stored there, and asks again. */
    async regenerate(text: string): Promise<void> {
      const data = await api.loadMessages();
      const turn = data.filter(({ request_id }) => request_id === data[0]?.request_id);
      if (turn.some((stored) => stored.role === "user" && textOf(stored) === text)) {
        for (const { id } of turn) await api.remove(id);
      }
      view.removeLastTurn();
      send(text);
    },

    /** Deletes the conversation on the server, then leaves it. */
    async erase(): Promise<void> {
      await api.remove();
      reset(true);
    },
  };
}

/** Milliseconds to wait before a repeat; `undefined` if there is none. */
export function delayOf(error: unknown, attempt: number, random = Math.random()): number | undefined {
  if (error instanceof ApiError) return error.wait && (error.wait + random / 2) * 1000;
  if (attempt >= MAX_ATTEMPTS) return undefined;
  return Math.min(30, 2 ** (attempt - 1)) * (500 + random * 500);
}

function problemOf(error: unknown): Problem {
  if (!(error instanceof ApiError)) return "network";
  if (!error.status) return "interrupted";
  return [401, 403, 404].includes(error.status) ? "denied" : "failed";
}

/** Resolves after a time, or when the browser is online again; rejects if given up. */
function pause(time: number, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, time);
    addEventListener("online", resolve, { signal });
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject();
    });
  });
}
