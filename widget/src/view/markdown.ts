// Renders an answer while it arrives. The parser only appends; this renderer decides what it may create.

import * as smd from "streaming-markdown";
import { h } from "../dom.ts";
import { safeUrl } from "../url.ts";

/** The element of each of the parser's tokens, by number. All headings are one level below the panel's own. */
const TAGS =
  "  p h3 h3 h3 h3 h3 h3 code code code em em strong strong s a a a blockquote br hr ul ol li span table tr td code code".split(
    " ",
  ) as (keyof HTMLElementTagNameMap)[];

/** Creates the frame of a code block: its language, a button that copies it, and the code. */
export type CodeFrame = (code: HTMLElement) => { frame: HTMLElement; label: HTMLElement };

/** Returns a function that takes pieces of Markdown, cut anywhere; without a piece it ends the text. */
export function markdownWriter(root: HTMLElement, codeFrame: CodeFrame): (piece?: string) => void {
  const stack: HTMLElement[] = [root];
  let label: HTMLElement | undefined;
  const top = () => stack.at(-1) ?? root;

  const parser = smd.parser({
    data: undefined,

    add_token(_, type) {
      let parent = top();
      let tag = TAGS[type] ?? "span";
      // A link cannot contain another link.
      if (tag === "a" && stack.some((element) => element.tagName === "A")) tag = "span";
      if (type === smd.TABLE_CELL && parent.parentElement?.tagName === "THEAD") tag = "th";
      const element = h(tag);
      if (type === smd.CODE_FENCE || type === smd.CODE_BLOCK) {
        const made = codeFrame(element);
        label = made.label;
        parent.append(made.frame);
      } else {
        if (type === smd.TABLE) parent = parent.appendChild(h("div", { class: "scroll", tabindex: "0" }));
        if (type === smd.TABLE_ROW) {
          const part = parent.children.length === 0 ? "thead" : "tbody";
          parent = (parent.children[1] as HTMLElement) || parent.appendChild(h(part));
        }
        if (type === smd.CHECKBOX) element.append("☐ ");
        parent.append(element);
      }
      stack.push(element);
    },

    end_token() {
      if (stack.length > 1) stack.pop();
    },

    add_text(_, text) {
      const last = top().lastChild;
      if (last instanceof Text) last.appendData(text);
      else top().append(text);
    },

    set_attr(_, type, value) {
      const element = top();
      if (type === smd.LANG) label?.append(value.slice(0, 24));
      else if (type === smd.CHECKED) element.textContent = "☑ ";
      else if (type === smd.START) element.setAttribute("start", `${Number.parseInt(value, 10)}`);
      else if (element instanceof HTMLAnchorElement) link(element, value);
    },
  });

  return (piece) => (piece === undefined ? smd.parser_end(parser) : smd.parser_write(parser, piece));
}

/** Gives a link its address if it is safe. An image is a link too: nothing is loaded before a click. */
function link(element: HTMLAnchorElement, address: string): void {
  const url = safeUrl(address, document.baseURI);
  if (!url) return;
  element.href = element.title = url;
  element.target = "_blank";
  element.rel = "noreferrer nofollow";
  if (!element.textContent) element.append(url);
}
