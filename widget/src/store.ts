// What survives a reload: the conversation, its secret, and messages that were not answered yet.

/** A message that was not answered yet. `id` is its idempotency key and sorts by time. */
export interface Unsent {
  id: string;
  text: string;
}

/** The conversation to continue, and its visitor secret. */
interface Conversation {
  id: string;
  secret: string;
}

/** The entries of a storage of the browser, or of an object if the browser blocks storage. */
export function entriesOf(name: "localStorage" | "sessionStorage"): Record<string, string> {
  try {
    return window[name];
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
  const stored = entriesOf("localStorage");
  /** What exceeds the quota of the storage: it lasts as long as the page. */
  const excess: Record<string, string> = {};
  const keys = () => Object.keys({ ...stored, ...excess });
  const entry = (key: string) => excess[key] ?? stored[key];
  const drop = (key: string) => {
    delete stored[key];
    delete excess[key];
  };
  const put = (key: string, value: string) => {
    try {
      stored[key] = value;
      delete excess[key];
    } catch {
      excess[key] = value;
    }
  };

  return {
    /** Prefix of the entries of unsent messages, to recognise them in `storage` events. */
    prefix,
    unsent: (): Unsent[] =>
      keys()
        .filter((key) => key.startsWith(prefix))
        .sort()
        .map((key) => ({ id: key.slice(prefix.length), text: entry(key) as string })),
    add: ({ id, text }: Unsent) => put(prefix + id, text),
    remove: (id: string) => drop(prefix + id),
    kept: (): Partial<Conversation> => JSON.parse(entry(name) || "{}"),
    keep: (conversation: Conversation) => put(name, JSON.stringify(conversation)),
    /** Forgets the conversation and its unsent messages. */
    clear() {
      for (const key of keys()) if (key === name || key.startsWith(prefix)) drop(key);
    },
  };
}

let lastTime = 0;

/** A new id for a message: later ids are greater. */
export function newId(): string {
  lastTime = Math.max(Date.now(), lastTime + 1);
  return `${lastTime.toString(36)}-${crypto.getRandomValues(new Uint32Array(4)).join("")}`;
}
