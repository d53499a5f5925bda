// The texts of the interface. English is part of the app, other languages come with the session.

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

/** The first wanted language that exists; otherwise English. */
export const chooseLanguage = (wanted: readonly string[]): string =>
  wanted.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag && LANGUAGES.includes(tag)) ?? "en";
