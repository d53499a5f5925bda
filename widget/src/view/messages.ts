// The messages of the log.

import type { Answer, Message, Problem } from "../conversation.ts";
import { h } from "../dom.ts";
import type { Unsent } from "../store.ts";
import type { Strings } from "../strings.ts";
import type { Role } from "../types.ts";
import { markdownWriter } from "./markdown.ts";
import type { Panel } from "./panel.ts";

/** Time between two changes of an answer that is being received, in milliseconds. It grows with the answer. */
const RENDER_INTERVAL = 50;

/** What a visitor can do with messages. */
export interface MessageActions {
  /** Sends an unanswered message again. */
  retry(item: Unsent): void;
  /** Deletes a turn on the server. Resolves to false if that failed. */
  discard(turn?: string, item?: Unsent): Promise<boolean>;
  send(text: string): void;
  /** Describes a problem. */
  explain(problem: Problem, wait?: number): string;
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
  const sent = new Map<string, ReturnType<typeof add> & { answer?: ReturnType<typeof addAnswer> }>();

  /** A button that copies a text. */
  function copyButton(text: () => string): HTMLElement {
    const button = h(
      "button",
      {
        async click() {
          if (navigator.clipboard) await navigator.clipboard.writeText(text());
          else {
            // A page without TLS.
            addEventListener(
              "copy",
              (event) => {
                event.clipboardData?.setData("text/plain", text());
                event.preventDefault();
              },
              { once: true },
            );
            document.execCommand("copy");
          }
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
    shown.splice(before ? shown.findIndex((other) => other.element === before) : shown.length, 0, message);
    if (role === "user") body.append(text);
    return { message, body, element };
  }

  /** Adds an answer that is being received, or complete. */
  function addAnswer(item?: Unsent, to?: ReturnType<typeof add>) {
    const question = to?.message ?? shown.findLast(({ role }) => role === "user");
    const { message, body, element } = add("assistant", "", to?.element.nextSibling);
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

    const answer = {
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
        timer ||= setTimeout(render, RENDER_INTERVAL + message.text.length / 150);
      },

      restart() {
        isStale = true;
        while (body.nextSibling) body.nextSibling.remove();
        if (!message.text) say(strings.answering, true);
      },

      /** Ends the text, and adds what can be done with it. */
      close(problem?: Problem, turn?: string, wait?: number) {
        render();
        write();
        const { text } = message;
        const again = h(
          "button",
          {
            class: "again",
            async click() {
              // What was not answered is the same request again.
              if (item && problem && problem !== "interrupted") return actions.retry(item);
              again.disabled = true;
              if (await actions.discard(turn, item)) {
                for (const old of [question, message]) old?.element.remove();
                shown = shown.filter((other) => other !== question && other !== message);
                if (item) sent.delete(item.id);
                actions.send(question?.text ?? "");
              }
              again.disabled = false;
            },
          },
          problem ? strings.retry : strings.again,
        );
        const foot = h("div", { class: "foot" }, again);
        if (text) foot.prepend(copyButton(() => text));
        if (problem) element.append(h("div", { class: "problem" }, actions.explain(problem, wait)));
        element.append(foot);
      },

      end(problem?: Problem, turn?: string, wait?: number) {
        answer.close(problem, turn, wait);
        actions.answered(message.text, problem);
        // What is shown, without Markdown and buttons. `innerText` leaves out what is not visible.
        const plain = (body.textContent as string).replaceAll(`\n${strings.copy}\n`, "\n");
        say(problem ? actions.explain(problem, wait) : plain, false, !!problem && problem !== "stopped");
      },
    };
    return answer;
  }

  /** The answer of a message that is on the screen, or another one. */
  function answer(item?: Unsent) {
    const known = item && sent.get(item.id);
    if (!known) return addAnswer(item);
    known.element.querySelector(".dim")?.remove();
    known.answer ??= addAnswer(item, known);
    return known.answer;
  }

  return {
    /** The conversation as plain text. */
    transcript: () =>
      shown.map(({ role, text }) => `${role === "user" ? strings.you : strings.bot}:\n${text}\n`).join("\n"),

    clear(): void {
      shown = [];
      sent.clear();
      list.replaceChildren();
    },

    history(messages: Message[]): void {
      for (const { role, text, turn } of messages) {
        if (role === "user") add(role, text);
        else {
          const stored = addAnswer();
          stored.write(text);
          stored.close(undefined, turn);
        }
      }
    },

    queued(item: Unsent, isHeld: boolean): void {
      let known = sent.get(item.id);
      if (!known) {
        known = add("user", item.text);
        known.element.append(h("div", { class: "dim" }, strings.waiting));
        sent.set(item.id, known);
      }
      if (isHeld && !known.answer) answer(item).close((item.problem as Problem) ?? "waiting");
    },

    answer: answer as (item?: Unsent) => Answer,
  };
}
