// The texts of the interface. English is part of the app, other languages are loaded on demand.

/** English. The files in `locales/` have the same keys. */
export const english = {
  title: "Chat",
  subtitle: "AI assistant",
  welcome: "Hi! How can I help?",
  placeholder: "Write a message…",
  open: "Open chat",
  close: "Close chat",
  send: "Send",
  stop: "Stop",
  you: "You",
  bot: "Assistant",
  answering: "Answering…",
  copy: "Copy",
  copied: "Copied",
  retry: "Try again",
  again: "New answer",
  transcript: "Download transcript",
  erase: "Delete my data",
  sure: "Delete this conversation?",
  erased: "Conversation deleted.",
  cancel: "Cancel",
  waiting: "Waiting to send",
  offline: "You are offline. Messages will be sent later.",
  network: "The server cannot be reached.",
  busy: "Busy. Trying again soon.",
  denied: "Chat is not available here.",
  stopped: "The answer was stopped.",
  interrupted: "The answer was interrupted.",
  failed: "Something went wrong.",
  note: "Answers can contain mistakes.",
};

/** The texts of one language. */
export type Strings = typeof english;

/** The languages: English and those with a file in `locales/`. */
export const LANGUAGES = "en ar de es fr he hi it ja ko nl pl pt sv tr uk zh";

/** Time after which the texts of a language are given up, in milliseconds. */
const LOAD_TIMEOUT = 5e3;

/** The first wanted language that exists; otherwise English. */
export const chooseLanguage = (wanted: readonly string[]): string =>
  wanted.map((tag) => tag.slice(0, 2)).find((tag) => tag && LANGUAGES.includes(tag)) ?? "en";

/** Loads the texts of a language. What is missing there stays English, and everything if the request fails. */
export async function loadStrings(api: string, language: string): Promise<Strings> {
  try {
    if (language === "en") return english;
    const response = await fetch(`${api}/widget/v${VERSION}/locales/${language}.json`, {
      signal: AbortSignal.timeout(LOAD_TIMEOUT),
    });
    return { ...english, ...(await response.json()) };
  } catch {
    return english;
  }
}
