// The custom element `<clawless-chat>`.

import { type Session, tokenOf } from "./api.ts";
import { chooseLanguage, english, type Strings } from "./strings.ts";
import type { ClawlessApi, ClawlessEvents, ClawlessHandler, Preset, Theme, UserTokenSource } from "./types.ts";
import { createWidget, type State, type Widget } from "./widget.ts";

/** What the loader leaves on the element: calls of methods, made before the app was loaded. */
type Stub = { queue?: [method: keyof ClawlessApi, values: unknown[]][]; script?: HTMLElement };

/** The chat widget as an element. Its `data-` attributes are those of the script tag. */
export class ClawlessChat extends (globalThis.HTMLElement ?? Object) implements ClawlessApi {
  declare open: ClawlessApi["open"];
  declare close: ClawlessApi["close"];
  declare toggle: ClawlessApi["toggle"];
  declare send: ClawlessApi["send"];
  declare reset: ClawlessApi["reset"];

  static readonly observedAttributes = ["data-theme", "data-accent", "data-lang"];

  /** The running widget, and calls that wait for it. */
  #widget: Widget | undefined;
  #waiting: ((widget: Widget) => void)[] = [];
  /** Ends what was started; absent while the element is not in the page. */
  #lifetime: AbortController | undefined;
  #user: UserTokenSource | null = null;
  #theme: Theme = {};
  /** What the next widget takes over from the last. */
  #state: State = { settings: {} };
  #texts: { language: string; strings: Strings } = { language: "en", strings: english };

  connectedCallback(): void {
    const { queue = [] } = this as Stub;
    // The loader's stubs hide the methods of this class.
    for (const name of Object.keys(this)) {
      if (name === "queue" || name in ClawlessChat.prototype) delete this[name as never];
    }
    for (const [method, values] of queue) (this[method] as (...values: unknown[]) => void)(...values);
    void this.#start();
  }

  disconnectedCallback(): void {
    this.#end();
  }

  attributeChangedCallback(name: string): void {
    if (name !== "data-lang") this.#widget?.paint();
    else if (this.#lifetime) void this.#start();
  }

  setTheme(theme: Preset | Theme): void {
    this.#theme = typeof theme === "string" ? { preset: theme } : theme;
    this.#widget?.paint();
  }

  setUser(source: UserTokenSource | null): void {
    this.#user = source;
    if (!this.#lifetime) return;
    // What one user has typed is not for the next.
    const input = this.shadowRoot?.querySelector("textarea");
    if (input) Object.assign(input, { value: "", readOnly: true });
    void this.#start();
  }

  on<Name extends keyof ClawlessEvents>(name: Name, handler: ClawlessHandler<Name>): void {
    this.addEventListener(`clawless-${name}`, handler as EventListener);
  }

  off<Name extends keyof ClawlessEvents>(name: Name, handler: ClawlessHandler<Name>): void {
    this.removeEventListener(`clawless-${name}`, handler as EventListener);
  }

  destroy(): void {
    this.close();
    this.remove();
    (this as Stub).script?.remove();
    if (window.Clawless === this) delete window.Clawless;
  }

  /** Runs a call now, or when the widget has started. @internal */
  run(call: (widget: Widget) => void): void {
    if (this.#widget) call(this.#widget);
    else this.#waiting.push(call);
  }

  /** Starts the widget, or another one in its place: what is read here has changed, or a session has other texts. */
  async #start(session?: Session): Promise<void> {
    this.#end();
    this.#lifetime = new AbortController();
    const { signal: lifetime } = this.#lifetime;
    const { lang = "" } = this.dataset;
    const api = (this.dataset.api ?? location.origin).replace(/\/$/, "");
    const language = chooseLanguage([lang, document.documentElement.lang, ...navigator.languages]);
    const user = this.#user;
    if (language === "en") this.#texts = { language, strings: english };
    // The panel says it if the user's token cannot be had.
    const token = user && (await tokenOf(user).catch(() => "?"));
    const root = this.shadowRoot;
    // Without a launcher it is an element of the page that neither the loader nor the npm package has prepared.
    if (lifetime.aborted || !root) return;
    this.#widget = createWidget({
      host: this,
      root,
      api,
      // Users of one browser have separate conversations.
      name: `clawless:${this.dataset.key}${token ? `:${subject(token)}` : ""}`,
      ...this.#texts,
      wanted: language,
      translate: (session) => {
        this.#texts = { language, strings: { ...english, ...session["strings"] } };
        void this.#start(session);
      },
      session,
      user,
      theme: () => this.#theme,
      state: this.#state,
      emit: (name, detail) => this.dispatchEvent(new CustomEvent(`clawless-${name}`, { detail, cancelable: true })),
      lifetime,
    });
    this.#waiting.splice(0).forEach(this.run, this);
    this.dispatchEvent(new CustomEvent("clawless-ready"));
  }

  #end(): void {
    this.#state = this.#widget?.state() ?? this.#state;
    this.#lifetime?.abort();
    this.#widget = this.#lifetime = undefined;
  }
}

// The methods that the running widget has too.
for (const name of ["open", "close", "toggle", "send", "reset"] as const) {
  ClawlessChat.prototype[name] = function (this: ClawlessChat, ...values: [text?: string]) {
    this.run((widget) => widget[name](values[0] ?? ""));
  };
}

/** The user that a JWT names. The server checks the token; here it only separates the storage of users. */
function subject(token: string): string {
  try {
    return JSON.parse(atob((token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/"))).sub;
  } catch {
    return "?";
  }
}
