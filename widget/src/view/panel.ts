// The panel: header, log and composer. Knows elements and strings, no conversation.

import { h, sheet } from "../dom.ts";
import type { Strings } from "../strings.ts";
import type { Settings } from "../types.ts";

/** What a visitor can do in the panel. */
export interface PanelActions {
  send(text: string): void;
  stop(): void;
  /** The panel was closed; whether the focus was in it. */
  closed(hadFocus: boolean): void;
  transcript(): string;
  erase(): void;
}

/** Time between reminders that an answer is coming, in milliseconds. */
const REMINDER = 7e3;

/** The longest message, in UTF-16 units. */
const MAX_LENGTH = 2e4;

/** A panel. */
export type Panel = ReturnType<typeof createPanel>;

/** Builds the panel in a shadow root, closed. */
export function createPanel(
  root: ShadowRoot,
  strings: Strings,
  language: string,
  actions: PanelActions,
  lifetime: AbortSignal,
) {
  const title = h("h2", { id: "title", part: "title" }, strings.title);
  const logo = h("div", { class: "logo icon" });
  const header = h(
    "header",
    {},
    logo,
    h("div", { class: "names" }, title, h("div", { class: "dim" }, strings.subtitle)),
    h("button", { class: "icon close", "aria-label": strings.close, click: close }),
  );

  const welcome = h("div", { class: "welcome", dir: "auto" }, strings.welcome);
  const prompts = h("div", { class: "prompts" });
  const list = h("div", { class: "list" });
  // The scroll position counts from the end, so that it stays there while an answer grows.
  const log = h(
    "div",
    {
      class: "log",
      role: "log",
      "aria-live": "off",
      "aria-label": strings.title,
      tabindex: "0",
      part: "log",
    },
    h("div", { class: "content" }, welcome, h("p", { class: "dim" }, strings.note), prompts, list),
  );

  const notice = h("div", { class: "notice" });
  const input = h("textarea", {
    rows: "1",
    dir: "auto",
    part: "input",
    maxlength: `${MAX_LENGTH}`,
    input: update,
  });
  const main = h("button", { class: "icon send", click: () => (isStop() ? actions.stop() : submit()) });
  const composer = h("div", { class: "composer" }, input, main);
  const erase = h(
    "button",
    {
      // The second click deletes, unless it is a double click.
      click({ detail }: MouseEvent) {
        if (detail > 1) return;
        if (erase.textContent === strings.sure) actions.erase();
        ask(erase.textContent === strings.erase);
      },
      blur: () => ask(false),
    },
    strings.erase,
  );
  const links = h("div", { class: "dim" }, h("button", { click: save }, strings.transcript), erase);
  // Live regions are always mounted.
  const status = h("div", { role: "status", class: "hidden" });
  const alert = h("div", { role: "alert", class: "hidden" });
  const panel = h(
    "dialog",
    {
      class: "panel",
      part: "panel",
      "aria-labelledby": "title",
      lang: language,
      close: () => actions.closed(isFocused),
      keydown(event: KeyboardEvent) {
        const { key, target, shiftKey } = event;
        const isEscape = key === "Escape";
        // An input method uses the keys first: Safari reports the end of its use by the code 229 only.
        if (
          event.isComposing ||
          event.keyCode === 229 ||
          !(isEscape || (key === "Enter" && target === input && !shiftKey))
        )
          return;
        event.preventDefault();
        event.stopPropagation();
        if (!isEscape) submit();
        else if (isBusy) actions.stop();
        else close();
      },
    },
    // The page's direction places the panel; the language's direction lays it out.
    h(
      "div",
      { class: "layout", dir: /ar|he/.test(language) ? "rtl" : "ltr" },
      header,
      log,
      h("footer", {}, notice, composer, links),
      status,
      alert,
    ),
  );
  // A restart, in another language for instance, keeps what the visitor is typing.
  const previous = root.querySelector("dialog");
  const hadFocus = previous?.contains(root.activeElement);
  input.value = previous?.querySelector("textarea")?.value ?? "";
  previous?.remove();
  root.append(panel);

  let isBusy = false;
  let isFocused = true;
  let timer: ReturnType<typeof setInterval> | undefined;
  const isStop = () => isBusy && !input.value.trim();

  function update(): void {
    main.classList.toggle("stop", isStop());
    main.ariaLabel = isStop() ? strings.stop : strings.send;
  }

  function close(): void {
    isFocused = panel.contains(root.activeElement);
    panel.close();
  }

  function submit(): void {
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    update();
    actions.send(text);
  }

  /** Asks whether to delete the conversation. */
  function ask(isAsking: boolean): void {
    erase.textContent = isAsking ? strings.sure : strings.erase;
  }

  function save(): void {
    const url = URL.createObjectURL(new Blob([actions.transcript()]));
    h("a", { href: url, download: "chat.txt" }).click();
    URL.revokeObjectURL(url);
  }

  // On small screens the panel is modal, and as high as what the virtual keyboard leaves.
  const small = matchMedia("(max-width:480px)");
  const viewport = sheet();
  const visual = visualViewport as VisualViewport;
  const fit = () => {
    const { height, offsetTop } = visual;
    viewport.replaceSync(`.panel{--height:${height}px;--top:${offsetTop}px}`);
  };
  const show = () => {
    panel.close();
    isFocused = true;
    if (small.matches) panel.showModal();
    // Unlike `show()`, this leaves the focus where it is.
    else panel.open = true;
  };
  for (const name of ["resize", "scroll"]) visual.addEventListener(name, fit, { signal: lifetime });
  small.addEventListener("change", () => panel.open && show(), { signal: lifetime });
  lifetime.addEventListener("abort", () => clearInterval(timer));
  notice.hidden = true;
  fit();
  update();

  return {
    list,
    viewport,
    /** Whether the panel replaces one that had the focus. */
    hadFocus,
    show,
    isOpen: () => panel.open,
    close,
    focus: () => input.focus(),
    toEnd: () => log.scrollTo(0, 0),

    /** Announces a text; if it `lasts`, again from time to time until the next text. */
    say(text: string, lasts = false, isAlert = false): void {
      clearInterval(timer);
      status.textContent = isAlert ? "" : text;
      alert.textContent = isAlert ? text : "";
      if (!lasts) return;
      timer = setInterval(() => {
        // A text that does not change is not announced.
        status.textContent = status.textContent === text ? `${text}\u00a0` : text;
      }, REMINDER);
    },

    receiving(isReceiving: boolean): void {
      isBusy = isReceiving;
      update();
    },

    /** Shows a text above the composer, or none. Returns whether it is another one than before. */
    notice(text: string): boolean {
      const isOther = notice.textContent !== text;
      notice.textContent = text;
      notice.hidden = !text;
      return isOther;
    },

    /** Shows the settings of the key. A logo is loaded from the API's origin only. */
    apply(
      { title: name, welcome: greeting, placeholder, starter_prompts = [], logo_url }: Settings,
      api: string,
    ): void {
      title.textContent = name || strings.title;
      welcome.textContent = greeting || strings.welcome;
      input.placeholder = input.ariaLabel = placeholder || strings.placeholder;
      prompts.replaceChildren(
        ...starter_prompts.map((text) => h("button", { dir: "auto", click: () => actions.send(text) }, text)),
      );
      if ([`${api}/`, "data:image/"].some((start) => logo_url?.startsWith(start))) {
        logo.replaceChildren(h("img", { src: logo_url as string, alt: "" }));
        logo.classList.remove("icon");
      }
    },
  };
}
