// One running widget: connects the conversation with what the visitor sees.

import { ApiError, createApi } from "./api.ts";
import { createConversation, type Lock, type Notice } from "./conversation.ts";
import { sheet } from "./dom.ts";
import { createStore, entriesOf } from "./store.ts";
import type { Strings } from "./strings.ts";
import { themeRules } from "./theme.ts";
import type { ClawlessEvents, Preset, Settings, Theme, UserTokenSource } from "./types.ts";
import { createMessages } from "./view/messages.ts";
import css from "./view/panel.css";
import { createPanel } from "./view/panel.ts";

/** Dispatches an event; returns false if a handler prevented the default. */
export type Emit = <Name extends keyof ClawlessEvents>(name: Name, detail?: ClawlessEvents[Name]) => boolean;

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
  user: UserTokenSource | null;
  theme: () => Theme;
  /** The key's settings, as far as they are known. */
  settings: Settings;
  emit: Emit;
  lifetime: AbortSignal;
}

/** A widget that runs. */
export type Widget = ReturnType<typeof createWidget>;

const styles = sheet(css);

/** Starts the widget of an element. */
export function createWidget(start: Start) {
  const { host, root, api, name, language, strings, user, theme, emit, lifetime } = start;
  let { settings } = start;
  const launcher = root.firstChild as HTMLElement;
  const tab = entriesOf("sessionStorage");
  const paints = sheet();
  const custom = sheet();
  let isOpen = false;

  const lock: Lock = (part, work) =>
    navigator.locks ? navigator.locks.request(`${name}:${part}`, { signal: lifetime }, work) : work();

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
    retry: (text, item) => (item ? conversation.retry(item) : conversation.regenerate(text).catch(fail)),
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
      const { languages = [language] } = settings;
      // Another language restarts the widget, once.
      if (!languages.some((tag) => tag.startsWith(language)) && languages[0] !== host.dataset.lang)
        host.dataset.lang = languages[0];
      panel.apply(settings, api);
      paint();
    },
    user,
    lifetime,
  );
  const conversation = createConversation(
    client,
    store,
    {
      ...messages,
      receiving: panel.receiving,
      notice: (notice?: Notice) => notify(notice && strings[notice]),
      report,
      left(isErased) {
        if (isErased) notify(strings.erased);
        emit("reset");
      },
    },
    lock,
    lifetime,
  );

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
    notify(strings.failed);
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

  function open(keepsFocus: unknown): void {
    if (isOpen) return;
    isOpen = true;
    panel.show();
    label();
    tab[name] = "1";
    emit("open");
    void conversation.start();
    if (keepsFocus !== true) panel.focus();
  }

  /** The panel was closed, by the visitor or by the page. */
  function closed(): void {
    if (!isOpen || panel.isOpen()) return;
    isOpen = false;
    label();
    delete tab[name];
    emit("close");
    launcher.focus();
  }

  const toggle = () => (isOpen ? panel.close() : open(false));

  root.adoptedStyleSheets = [root.adoptedStyleSheets[0] as CSSStyleSheet, styles, panel.viewport, paints, custom];
  panel.apply(settings, api);
  paint();
  label();
  launcher.onclick = toggle;
  if (store.unsent()[0]) void conversation.start();
  if (panel.wasOpen || (tab[name] && innerWidth > 480)) open(!panel.hadFocus);

  return {
    open,
    close: panel.close,
    toggle,
    isOpen: () => isOpen,
    settings: () => settings,
    send,
    paint,
    reset: conversation.reset,
  };
}
