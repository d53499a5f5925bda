// One running widget: connects the conversation with what the visitor sees.

import { ApiError, createApi, type Session } from "./api.ts";
import { createConversation, type Lock, type Notice } from "./conversation.ts";
import { sheet } from "./dom.ts";
import { createStore, openEntries } from "./store.ts";
import type { Strings } from "./strings.ts";
import { themeRules } from "./theme.ts";
import type { ClawlessEvents, Preset, Settings, Theme, UserTokenSource } from "./types.ts";
import { createMessages } from "./view/messages.ts";
import css from "./view/panel.css";
import { createPanel } from "./view/panel.ts";

/** Dispatches an event; returns false if a handler prevented the default. */
export type Emit = <Name extends keyof ClawlessEvents>(name: Name, detail?: ClawlessEvents[Name]) => boolean;

/** What a widget leaves to the next one. */
export interface State {
  /** The key's settings, as far as they are known. */
  settings: Settings;
  isOpen?: boolean;
  /** The panel was asked for, and not shown yet. */
  isOpening?: boolean;
}

/** What a widget is started with. */
export interface Start {
  host: HTMLElement;
  /** The shadow root with the launcher. */
  root: ShadowRoot;
  api: string;
  /** Prefix of the entries in the browser's storage, and of locks. */
  name: string;
  language: string;
  strings: Strings;
  /** The language of the page. Its texts come with the session: `translate` starts another widget with them. */
  wanted: string;
  translate(session: Session): void;
  session: Session | undefined;
  user: UserTokenSource | null;
  theme: () => Theme;
  state: State;
  emit: Emit;
  lifetime: AbortSignal;
}

/** A widget that runs. */
export type Widget = ReturnType<typeof createWidget>;

/** Starts the widget of an element. */
export function createWidget(start: Start) {
  const { host, root, api, name, language, strings, wanted, user, theme, emit, state, lifetime } = start;
  let { settings } = state;
  const [launcher, failure] = root.children as unknown as [HTMLElement, HTMLElement];
  const tab = openEntries("sessionStorage");
  // One entry for all users of the key: the loader reads it.
  const flag = `clawless:${host.dataset.key}`;
  const paints = sheet();
  const custom = sheet();
  let isOpen = false;
  let isOpening = false;

  const lock: Lock = async (part, work) => {
    let isHeld = false;
    try {
      return await navigator.locks.request(`${name}:${part}`, { signal: lifetime }, () => {
        isHeld = true;
        return work();
      });
    } catch (error) {
      if (isHeld || lifetime.aborted) throw error;
      // The browser blocks or lacks locks.
      return work();
    }
  };

  const panel = createPanel(
    root,
    strings,
    language,
    {
      send,
      stop: () => conversation.stop(),
      closed,
      transcript: () => messages.transcript(),
      erase: () => conversation.erase().catch(fail),
    },
    lifetime,
  );
  const messages = createMessages(panel, strings, {
    retry: (item) => conversation.retry(item),
    discard: (...turn) =>
      conversation.discard(...turn).then(
        () => true,
        (error) => {
          fail(error);
          return false;
        },
      ),
    send: (text) => conversation.send(text),
    explain,
    answered(text, problem) {
      if (!problem) emit("message", { role: "assistant", text });
      if (isOpen) return;
      launcher.classList.add("unread");
      launcher.ariaLabel = `${strings.open} (1)`;
    },
  });
  const store = createStore(name);
  const client = createApi(
    api,
    host.dataset.key as string,
    store,
    lock,
    (session) => {
      settings = session.settings ?? {};
      const { languages = [wanted] } = settings;
      panel.apply(settings, api);
      paint();
      // Another language restarts the widget, once.
      if (!languages.some((tag) => tag.startsWith(wanted)) && languages[0] !== host.dataset.lang)
        host.dataset.lang = languages[0];
      else if (session["strings"] && wanted !== language) start.translate(session);
    },
    user,
    wanted,
    lifetime,
    start.session,
  );
  const conversation = createConversation(
    client,
    store,
    {
      ...messages,
      receiving: panel.receiving,
      notice: (notice?: Notice, wait?: number) => notify(notice && explain(notice, wait)),
      report,
      left(isErased) {
        if (isErased) notify(strings.erased);
        emit("reset");
      },
    },
    lock,
    lifetime,
  );

  /** Describes what the visitor waits for, and until when if it is more than a moment. */
  function explain(notice: Notice, wait?: number): string {
    const date = wait && new Date(Date.now() + wait * 1000);
    return strings[notice] + (date ? ` ${strings.retry}: ${date.toLocaleString(language)}` : "");
  }

  /** Shows and announces a notice, or removes it. */
  function notify(text = ""): void {
    if (panel.notice(text) && text) panel.say(text);
  }

  function report(error: unknown): void {
    const { message } = error as Error;
    emit("error", { code: error instanceof ApiError ? error.code : "network", message });
  }

  /** Reports the failure of what the visitor asked for. */
  function fail(error: unknown): void {
    report(error);
    notify(explain("failed", (error as ApiError).wait));
  }

  function send(text: string): boolean {
    const message = { text: text.trim() };
    if (!message.text || !emit("send", message)) return false;
    conversation.send(message.text);
    emit("message", { role: "user", text: message.text });
    panel.toEnd();
    return true;
  }

  /** Applies the theme: what the page has set, else the attributes, else the key's settings. */
  function paint(): void {
    const { preset, colours, css = "" } = theme();
    const { accent } = host.dataset;
    const chosen = preset || (host.dataset.theme as Preset) || settings.theme || "auto";
    paints.replaceSync(themeRules(chosen, { ...settings.colours, ...(accent && { accent }), ...colours }));
    custom.replaceSync(css);
  }

  /** Shows on the launcher whether the panel is open. */
  function label(): void {
    launcher.classList.remove("unread");
    launcher.ariaExpanded = `${isOpen}`;
    launcher.ariaLabel = isOpen ? strings.close : host.dataset.label || strings.open;
  }

  async function open(keepsFocus?: unknown): Promise<void> {
    if (isOpen) return;
    isOpen = true;
    if (wanted !== language && !start.session && (!state.isOpen || state.isOpening)) {
      // The panel is shown with the texts of its language, if they arrive.
      isOpening = true;
      launcher.ariaBusy = "true";
      await client.open(lifetime).catch(() => {});
      if (lifetime.aborted) return;
      launcher.ariaBusy = null;
      isOpening = false;
    }
    panel.show();
    label();
    tab.put(flag, name);
    emit("open");
    void conversation.start();
    if (keepsFocus !== true) panel.focus();
  }

  /** The panel was closed, by the visitor or by the page. */
  function closed(hadFocus: boolean): void {
    if (!isOpen || panel.isOpen()) return;
    isOpen = false;
    label();
    tab.drop(flag);
    emit("close");
    if (hadFocus) launcher.focus();
  }

  const toggle = () => (isOpen ? panel.close() : open());

  root.adoptedStyleSheets = [root.adoptedStyleSheets[0] as CSSStyleSheet, sheet(css), panel.viewport, paints, custom];
  // The app may be later than the loader waits for it.
  failure.textContent = "";
  launcher.ariaBusy = null;
  panel.apply(settings, api);
  paint();
  label();
  launcher.onclick = toggle;
  if (store.unsent()[0]) void conversation.start();
  if (state.isOpen || (tab.entry(flag) === name && innerWidth > 480)) void open(!panel.hadFocus && !state.isOpening);

  return {
    open,
    close: panel.close,
    toggle,
    state: (): State => ({ settings, isOpen, isOpening }),
    send,
    paint,
    reset: conversation.reset,
  };
}
