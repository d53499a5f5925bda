// The conversation: sends unsent messages one after another, receives answers, and repeats what failed.
// Knows no DOM: what the visitor sees is behind `ConversationView`.

import { type Api, ApiError, textOf } from "./api.ts";
import { newId, type Store, timeOf, type Unsent } from "./store.ts";
import type { Role } from "./types.ts";

/** Why there is no answer, or only a part of one. `waiting`: the message is too old to be sent without asking. */
export type Problem = "stopped" | "interrupted" | "failed" | "denied" | "network" | "waiting";

/** Why the visitor waits, or what a request without an answer met. */
export type Notice = "offline" | "busy" | Problem;

/** An answer on the screen. */
export interface Answer {
  /** Appends text. */
  write(text: string): void;
  /** The next text replaces what is there: the answer is received again. */
  restart(): void;
  /** `turn` is the request id of its turn; `wait` is the time in seconds before another attempt can succeed. */
  end(problem?: Problem, turn?: string, wait?: number): void;
}

/** A stored message. */
export interface Message {
  role: Role;
  text: string;
  turn: string;
}

/** What the conversation shows. */
export interface ConversationView {
  /** Removes all messages. */
  clear(): void;
  /** Shows stored messages, oldest first. */
  history(messages: Message[]): void;
  /** Shows a message that waits, unless it is on the screen. If it `isHeld`, it waits for the visitor. */
  queued(item: Unsent, isHeld: boolean): void;
  /** Starts an answer, below its message if there is one. */
  answer(item?: Unsent): Answer;
  /** Whether an answer is being received. */
  receiving(isReceiving: boolean): void;
  /** Shows a notice, or none. */
  notice(notice?: Notice, wait?: number): void;
  report(error: unknown): void;
  /** The conversation was left, and if `isErased` also deleted. */
  left(isErased?: boolean): void;
}

/** Runs work under a lock of the whole browser: one tab at a time. */
export type Lock = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

/** Attempts before an error is shown. Later ones follow when the visitor asks or the browser is online again. */
const MAX_ATTEMPTS = 8;

/** The longest pause before a repeat, in seconds. A server that needs more is reported. */
const MAX_WAIT = 60;

/** Age at which a message is not sent without asking, in milliseconds. The server recognises repeats for a day. */
const MAX_AGE = 36e5;

/** Until the browser is online again. */
const FOREVER = 1e9;

/** Reasons for which work is given up. */
const STOP = "stop";
const LEAVE = "leave";
/** The message was answered before, and its turn is on the screen. */
const KNOWN = "known";

/** A conversation. */
export type Conversation = ReturnType<typeof createConversation>;

/** Creates the conversation of a store. */
export function createConversation(api: Api, store: Store, view: ConversationView, lock: Lock, lifetime: AbortSignal) {
  let current: AbortController | undefined;
  /** The work of this conversation: one piece after another. */
  let work: Promise<unknown> = Promise.resolve();
  /** Work that was begun for an earlier number is dropped. */
  let epoch = 0;
  let isWanted = false;
  let isShown = false;
  // Another tab has received an answer.
  let isStale = false;
  /** The request ids of the stored turns on the screen. */
  let turns: string[] = [];
  /** What this page has learned about messages: the visitor wants them to be sent, or they have to wait. */
  const decided = new Map<string, boolean>();

  const isHeld = ({ id, problem }: Unsent) => !(decided.get(id) ?? (!problem && Date.now() - timeOf(id) < MAX_AGE));
  const next = () => store.unsent().find((item) => !isHeld(item));

  /** Does something after the work before it, unless the conversation is left meanwhile. */
  function enqueue(job: () => Promise<unknown>): Promise<unknown> {
    const begun = epoch;
    const done = work.then(() => {
      if (begun !== epoch) throw LEAVE;
      return job();
    });
    work = done.catch(() => {});
    return done;
  }

  /** Does work that needs the network, and repeats it while that can help. Throws the last error, or why it was given up. */
  async function persist<Result>(request: (abort: AbortController) => Promise<Result>): Promise<Result> {
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
        return await request(abort);
      } catch (error) {
        const { reason } = abort.signal;
        if (reason === STOP || reason === LEAVE) throw reason;
        delay = error === KNOWN ? undefined : delayOf(error, attempt);
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
    request: (abort: AbortController, onText: (text: string) => void, onTurn: (turn: string) => void) => Promise<void>,
    item?: Unsent,
  ): Promise<boolean> {
    let answer: Answer | undefined;
    let problem: Problem | undefined;
    let wait: number | undefined;
    let turn = item?.turn;
    try {
      await persist(async (abort) => {
        answer ??= view.answer(item);
        answer.restart();
        view.receiving(true);
        await request(
          abort,
          (text) => {
            view.notice();
            answer?.write(text);
          },
          (begun) => {
            turn = begun;
            if (turns.includes(turn)) throw KNOWN;
            // After a reload, the stored turn is recognised.
            if (item) store.add({ ...item, turn });
          },
        );
      });
    } catch (error) {
      if (error === LEAVE || error === KNOWN) {
        view.receiving(false);
        if (item && error === KNOWN) {
          store.remove(item.id);
          await showHistory();
        }
        return error === KNOWN;
      }
      problem = error === STOP ? "stopped" : problemOf(error);
      wait = error instanceof ApiError ? error.wait : undefined;
      if (error !== STOP) view.report(error);
    }
    if (item) {
      decided.delete(item.id);
      if (!problem) store.remove(item.id);
      // After a network error the message is sent when the page is online again, or the next one is opened.
      else if (problem === "network") decided.set(item.id, false);
      else store.add({ ...item, problem, ...(turn && { turn }) });
    }
    view.notice();
    view.receiving(false);
    (answer ?? view.answer(item)).end(problem, turn, wait);
    return true;
  }

  const showUnsent = () => {
    for (const item of store.unsent()) view.queued(item, isHeld(item));
  };

  /** Sends all unsent messages that do not wait for the visitor. */
  async function flush(): Promise<void> {
    showUnsent();
    if (!next()) return;
    await lock("send", async () => {
      // Another tab may have sent them: the queue is read again under the lock.
      for (let item = next(); item; item = next()) {
        const message = item;
        view.queued(message, false);
        if (!(await receive((...parts) => api.chat(message, ...parts), message))) return;
      }
    });
  }

  /** Shows the stored messages. */
  async function showHistory(): Promise<void> {
    const data = await persist(({ signal }) => api.loadMessages(signal));
    turns = data.map(({ request_id }) => request_id);
    for (const { id, turn } of store.unsent()) if (turn && turns.includes(turn)) store.remove(id);
    view.clear();
    view.history(
      data
        .map((stored) => ({ role: stored.role as Role, text: textOf(stored), turn: stored.request_id }))
        .filter(({ role, text }) => text && /user|assistant/.test(role))
        .reverse(),
    );
    showUnsent();
  }

  /** Shows the conversation as the server has it, and receives an answer that still runs. */
  async function show(): Promise<void> {
    const { resumable, visitor_secret } = await persist(({ signal }) => api.open(signal));
    view.notice();
    // Only a new session comes with a secret.
    if (!visitor_secret) await showHistory();
    if (!resumable || turns.includes(resumable)) return;
    const own = store.unsent().find(({ turn }) => turn === resumable);
    if (own && isHeld(own)) store.remove(own.id);
    // It is sent again, which has the same answer.
    else if (next()) return;
    if (!(await receive((abort, onText) => api.resume(resumable, abort, onText)))) throw LEAVE;
    // The visitor's message of that turn is stored now.
    await showHistory();
  }

  /** Shows the conversation, once unless it fails, and sends what is unsent. */
  async function start(): Promise<void> {
    isWanted = true;
    showUnsent();
    await enqueue(async () => {
      try {
        if (!isShown) await show();
        isShown = true;
      } catch (error) {
        if (error === LEAVE) return;
        view.notice(problemOf(error), (error as ApiError).wait);
        view.report(error);
      }
      await flush();
    }).catch(() => {});
  }

  function restart(): void {
    decided.clear();
    view.notice();
    if (isWanted) void start();
  }

  /** Forgets what this page has of the conversation. */
  function leave(isErased?: boolean): void {
    epoch++;
    current?.abort(LEAVE);
    api.forget();
    turns = [];
    isShown = false;
    view.clear();
    view.left(isErased);
  }

  const listen = (name: string, handler: (event: never) => void) =>
    addEventListener(name, handler as (event: Event) => void, { signal: lifetime });
  const interrupt = () => current?.abort(LEAVE);
  // A page in the back/forward cache holds no lock and no connection.
  listen("pagehide", interrupt);
  listen("pageshow", ({ persisted }: PageTransitionEvent) => persisted && restart());
  listen("online", restart);
  listen("offline", () => view.notice("offline"));
  // Other tabs remove a message that was answered, and everything when the conversation is left.
  listen("storage", ({ key, newValue }: StorageEvent) => {
    if (newValue !== null) return;
    if (!key || key === store.name) leave();
    else if (isShown && key.startsWith(store.prefix)) {
      isStale = true;
      void enqueue(async () => {
        if (isStale && isShown) await showHistory();
        isStale = false;
      }).catch(() => {});
    }
  });
  lifetime.addEventListener("abort", interrupt);

  function reset(isErased?: boolean): void {
    store.clear();
    leave(isErased);
  }

  return {
    start,
    reset: () => reset(),

    /** Puts a message into the queue and sends it when the conversation is shown. */
    send(text: string): void {
      store.add({ id: newId(), text });
      void start();
    },

    /** Stops the answer that is being received; its text stays. */
    stop: () => current?.abort(STOP),

    /** Sends a message again that was not answered, as the same request: the server answers each once. */
    retry(item: Unsent): void {
      decided.set(item.id, true);
      store.add(item);
      void start();
    },

    /** Deletes a turn on the server, so that its message can be asked again. */
    discard: (turn?: string, item?: Unsent) =>
      enqueue(async () => {
        await persist(async ({ signal }) => {
          for (const { id, request_id } of await api.loadMessages(signal))
            if (request_id === turn) await api.remove(`/messages/${id}`, signal);
        });
        if (item) store.remove(item.id);
      }),

    /** Deletes the conversation on the server, then leaves it. An answer that is being received ends. */
    async erase(): Promise<void> {
      epoch++;
      current?.abort(LEAVE);
      try {
        await enqueue(() => persist(({ signal }) => api.remove("", signal)));
        reset(true);
      } catch (error) {
        void start();
        throw error;
      }
    },
  };
}

/** Milliseconds to wait before a repeat; `undefined` if there is none. */
export function delayOf(error: unknown, attempt: number, random = Math.random()): number | undefined {
  const wait = error instanceof ApiError ? (error.wait ?? Number.POSITIVE_INFINITY) : 0;
  if (attempt >= MAX_ATTEMPTS || wait > MAX_WAIT) return undefined;
  // Never before the time that the server has named.
  return (Math.max(wait, Math.min(30, 2 ** (attempt - 1)) * 0.5) + Math.min(15, 2 ** (attempt - 2)) * random) * 1000;
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
