// What survives a reload: the conversation, its secret, and messages that were not answered yet.

/** A message that was not answered yet. */
export interface Unsent {
  /** Its idempotency key, which sorts by time. */
  id: string;
  text: string;
  /** The request id of its turn, if the server has begun one. */
  turn?: string;
  /** Why it waits for the visitor; absent if it is sent without asking. */
  problem?: string;
}

/** The conversation to continue, and its visitor secret. */
interface Conversation {
  id: string;
  secret: string;
}

/** The entries of a storage of the browser. What the browser refuses lasts as long as the page. */
export function openEntries(name: "localStorage" | "sessionStorage") {
  let stored: Record<string, string> = {};
  try {
    // Some browsers have no storage where they block it.
    stored = window[name] ?? stored;
  } catch {
    // Others throw.
  }
  const refused: Record<string, string> = {};
  return {
    keys: () => Object.keys({ ...stored, ...refused }),
    entry: (key: string) => refused[key] ?? stored[key],
    put(key: string, value: string) {
      try {
        stored[key] = value;
        delete refused[key];
      } catch {
        refused[key] = value;
      }
    },
    drop(key: string) {
      delete stored[key];
      delete refused[key];
    },
  };
}

/** Parses a stored value; one that something else has written is empty. */
function parse<Value>(text = "{}"): Partial<Value> {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** The store of a key or user. */
export type Store = ReturnType<typeof createStore>;

/** Opens the store of a key or user. */
export function createStore(name: string) {
  // Each message has an entry of its own, so that tabs do not overwrite each other's messages.
  const prefix = `${name}:unsent:`;
  const { keys, entry, put, drop } = openEntries("localStorage");

  return {
    /** Name of the conversation's entry, and prefix of those of unsent messages: `storage` events have them. */
    name,
    prefix,
    unsent: (): Unsent[] =>
      keys()
        .filter((key) => key.startsWith(prefix))
        .sort()
        .map((key) => ({ text: "", ...parse<Unsent>(entry(key)), id: key.slice(prefix.length) }))
        .filter(({ text }) => text),
    add: ({ id, ...message }: Unsent) => put(prefix + id, JSON.stringify(message)),
    remove: (id: string) => drop(prefix + id),
    kept: () => parse<Conversation>(entry(name)),
    keep: (conversation: Conversation) => put(name, JSON.stringify(conversation)),
    /** Forgets the conversation, then its unsent messages. */
    clear() {
      for (const key of [name, ...keys()]) if (key === name || key.startsWith(prefix)) drop(key);
    },
  };
}

let lastTime = 0;

/** A new id for a message: later ids are greater. */
export function newId(): string {
  lastTime = Math.max(Date.now(), lastTime + 1);
  return `${lastTime.toString(36)}-${crypto.getRandomValues(new Uint32Array(4)).join("")}`;
}

/** The time at which an id was made, in milliseconds. */
export const timeOf = (id: string): number => Number.parseInt(id, 36);
