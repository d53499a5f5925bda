// The messages of the log.

import type { Answer, Problem } from "../conversation.ts";
import { h } from "../dom.ts";
import type { Unsent } from "../store.ts";
import type { Strings } from "../strings.ts";
import type { Role } from "../types.ts";
import { markdownWriter } from "./markdown.ts";
import type { Panel } from "./panel.ts";

/** Time between two changes of an answer that is being received, in milliseconds. */
const RENDER_INTERVAL = 50;

/** What a visitor can do with messages. */
export interface MessageActions {
  /** Asks again: an unanswered message, or else the last turn is replaced. */
  retry(text: string, item?: Unsent): void;
  /** An answer has ended. */
  answered(text: string, problem?: Problem): void;
}

/** A message on the screen. */
interface Shown {
  role: Role;
  text: string;
  element: HTMLElement;
}

/** Manages the messages in the panel's list. */
export function createMessages({ list, say }: Panel, strings: Strings, actions: MessageActions) {
  let shown: Shown[] = [];
  /** The elements of messages that this page has sent, and their answers. */
  const sent = new Map<string, { element: HTMLElement; answer?: Answer }>();

  /** A button that copies a text. */
  function copyButton(text: () => string): HTMLElement {
    const button = h(
      "button",
      {
        async click() {
          await navigator.clipboard.writeText(text());
          button.textContent = strings.copied;
          setTimeout(() => {
            button.textContent = strings.copy;
          }, 2000);
          say(strings.copied);
        },
      },
      strings.copy,
    );
    return button;
  }

  function codeFrame(language: string, code: HTMLElement): HTMLElement {
    const copy = copyButton(() => code.textContent as string);
    const bar = h("div", { class: "bar" }, h("span", {}, language.slice(0, 24)), "\n", copy, "\n");
    return h("div", { class: "code", dir: "ltr" }, bar, h("pre", { tabindex: "0" }, code, "\n"));
  }

  function add(role: Role, text: string, before: Node | null = null) {
    const body = h("div", { class: "body", dir: "auto", part: role });
    const author = role === "user" ? strings.you : strings.bot;
    const element = h("div", { class: role, role: "article", "aria-label": author }, body);
    list.insertBefore(element, before);
    const message = { role, text, element };
    shown.push(message);
    if (role === "user") body.append(text);
    return { message, body, element };
  }

  /** Adds an answer that is being received, or complete. */
  function addAnswer(question: string, item?: Unsent, before?: Node | null) {
    const { message, body, element } = add("assistant", "", before);
    let write = markdownWriter(body, codeFrame);
    let buffer = "";
    let timer = 0;
    let isStale = false;

    /** Renders what has arrived, however many pieces there are. */
    const render = () => {
      clearTimeout(timer);
      timer = 0;
      write(buffer);
      buffer = "";
    };

    return {
      write(piece: string) {
        if (!piece) return;
        if (isStale) {
          isStale = false;
          message.text = buffer = "";
          body.replaceChildren();
          write = markdownWriter(body, codeFrame);
        }
        message.text += piece;
        buffer += piece;
        timer ||= setTimeout(render, RENDER_INTERVAL);
      },

      restart() {
        isStale = true;
        if (!message.text) say(strings.answering, true);
      },

      /** Ends the text, and adds what can be done with it. */
      close(problem?: Problem) {
        render();
        write();
        if (item) delete sent.get(item.id)?.answer;
        const { text } = message;
        const hasArrived = !problem || problem === "stopped" || problem === "interrupted";
        const again = h(
          "button",
          {
            class: "again",
            click() {
              again.disabled = true;
              if (!hasArrived) {
                element.remove();
                shown = shown.filter((other) => other !== message);
              }
              actions.retry(question, hasArrived ? undefined : item);
            },
          },
          problem ? strings.retry : strings.again,
        );
        const foot = h("div", { class: "foot" }, again);
        if (text) foot.prepend(copyButton(() => text));
        if (problem) element.append(h("div", { class: "problem" }, strings[problem]));
        element.append(foot);
      },

      end(problem?: Problem) {
        this.close(problem);
        actions.answered(message.text, problem);
        // What is shown, without Markdown. `innerText` leaves out what is not visible.
        say(problem ? strings[problem] : (body.textContent as string), false, !!problem && problem !== "stopped");
      },
    };
  }

  const lastQuestion = () => shown.findLast(({ role }) => role === "user")?.text ?? "";

  return {
    /** The conversation as plain text. */
    transcript: () =>
      shown.map(({ role, text }) => `${role === "user" ? strings.you : strings.bot}:\n${text}\n`).join("\n"),

    clear(): void {
      shown = [];
      sent.clear();
      list.replaceChildren();
    },

    history(messages: { role: Role; text: string }[]): void {
      for (const { role, text } of messages) {
        if (role === "user") add(role, text);
        else {
          const answer = addAnswer(lastQuestion());
          answer.write(text);
          answer.close();
        }
      }
    },

    queued(item: Unsent): void {
      if (sent.has(item.id)) return;
      const { element } = add("user", item.text);
      element.append(h("div", { class: "dim" }, strings.waiting));
      sent.set(item.id, { element });
    },

    answer(item?: Unsent): Answer {
      const known = item && sent.get(item.id);
      if (known?.answer) return known.answer;
      known?.element.querySelector(".dim")?.remove();
      const answer = addAnswer(item?.text ?? lastQuestion(), item, known?.element.nextSibling);
      if (known) known.answer = answer;
      return answer;
    },

    removeLastTurn(): void {
      const index = shown.findLastIndex(({ role }) => role === "user");
      for (const { element } of shown.splice(index)) element.remove();
    },
  };
}
