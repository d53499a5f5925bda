// The public types of the widget.

/** Names of the built-in themes. `auto` follows the system. */
export type Preset = "auto" | "light" | "dark" | "paper" | "midnight";

/** Colours of a theme, each `#rrggbb`. */
export interface Colours {
  background?: string;
  surface?: string;
  text?: string;
  dim?: string;
  line?: string;
  accent?: string;
  on_accent?: string;
}

/** A theme: a preset, colours that replace some of its own, and style rules for the widget's shadow root. */
export interface Theme {
  preset?: Preset;
  colours?: Colours;
  css?: string;
}

/** Settings of a public key; the server sends them with the session. */
export interface Settings {
  title?: string;
  welcome?: string;
  placeholder?: string;
  starter_prompts?: string[];
  theme?: Preset;
  colours?: Colours;
  /** An address of the API, or the data of a small logo. */
  logo_url?: string;
  /** The languages that the widget may use; the first is the default. All if absent. */
  languages?: string[];
}

/** Who wrote a message. */
export type Role = "user" | "assistant";

/** The events and the `detail` of each. */
export interface ClawlessEvents {
  /** The app has started. */
  ready: undefined;
  open: undefined;
  close: undefined;
  /** A message is about to be sent; `preventDefault()` cancels it. */
  send: { text: string };
  /** A message was sent, or an answer is complete. */
  message: { role: Role; text: string };
  /** A request failed. `code` is the server's error code, or `network`. */
  error: { code: string; message: string };
  /** The conversation was left (`reset`), or its data was deleted. */
  reset: undefined;
}

/** Handles an event of the widget. */
export type ClawlessHandler<Name extends keyof ClawlessEvents> = (event: CustomEvent<ClawlessEvents[Name]>) => void;

/** Returns a JWT of the site's back end that identifies the signed-in user. */
export type UserTokenSource = () => Promise<string>;

/** The widget's methods. Before the app is loaded they are queued. */
export interface ClawlessApi {
  open(): void;
  close(): void;
  toggle(): void;
  /** Sends a message, unless its text is empty or a handler of `send` cancels it. */
  send(text: string): void;
  on<Name extends keyof ClawlessEvents>(name: Name, handler: ClawlessHandler<Name>): void;
  off<Name extends keyof ClawlessEvents>(name: Name, handler: ClawlessHandler<Name>): void;
  setTheme(theme: Preset | Theme): void;
  /** Identifies the user; `null` returns to an anonymous visitor. */
  setUser(source: UserTokenSource | null): void;
  /** Leaves the conversation; the next message starts another one. */
  reset(): void;
  /** Removes the widget from the page. */
  destroy(): void;
}
