// Shows an answer while it arrives: changes only what differs, so that a selection and the focus stay.

import { h } from "../dom.ts";
import { type MarkdownBlock, type MarkdownNode, parseMarkdown } from "../markdown.ts";
import { safeUrl } from "../url.ts";

/** Creates the frame of a code block: its language, a button that copies it, and the code. */
export type CodeFrame = (language: string, code: HTMLElement) => HTMLElement;

/** A node on the page. */
interface Shown extends MarkdownNode {
  element: ChildNode;
  /** Where its content is. */
  inner: ParentNode;
  parts: Shown[];
}

/** Returns a function that takes pieces of Markdown, cut anywhere; without a piece it ends the text. */
export function markdownWriter(root: HTMLElement, codeFrame: CodeFrame): (piece?: string) => void {
  // The end of the text, from the last block that can still change.
  let text = "";
  let shown: Shown[] = [];

  function create({ tag, info }: MarkdownNode): Shown {
    const made = (element: ChildNode, inner: unknown = element) => ({
      tag,
      info,
      element,
      inner: inner as ParentNode,
      parts: [],
    });
    if (!tag) return made(new Text(info));
    const element = h((tag === "pre" ? "code" : tag) as "a");
    if (tag === "a") link(element, info);
    if (tag === "ol") element.setAttribute("start", info);
    if (tag === "pre") return made(codeFrame(info, element), element);
    return made(tag === "table" ? h("div", { class: "scroll", tabindex: "0" }, element) : element, element);
  }

  function update(parent: ParentNode, before: Shown[], nodes: MarkdownNode[]): Shown[] {
    for (const { element } of before.slice(nodes.length)) element.remove();
    return nodes.map((node, index) => {
      const { tag, info, parts } = node;
      let current = before[index];
      if (current?.tag !== tag || current.info !== info) {
        if (current && !tag && !current.tag && info.startsWith(current.info)) {
          (current.element as Text).appendData(info.slice(current.info.length));
          current.info = info;
        } else {
          const made = create(node);
          if (current) current.element.replaceWith(made.element);
          else parent.append(made.element);
          current = made;
        }
      }
      current.parts = update(current.inner, current.parts, parts);
      return current;
    });
  }

  return (piece) => {
    text += piece ?? "";
    const blocks: MarkdownBlock[] = parseMarkdown(text, piece !== undefined);
    shown = update(root, shown, blocks).slice(-2);
    // The last line can still join the block before its own.
    text = text
      .split("\n")
      .slice(blocks.at(-2)?.firstLine ?? 0)
      .join("\n");
  };
}

/** Gives a link its address if it is safe. An image is a link too: nothing is loaded before a click. */
function link(element: HTMLAnchorElement, address: string): void {
  const url = address && safeUrl(address, document.baseURI);
  if (url) Object.assign(element, { href: url, title: url, target: "_blank", rel: "noreferrer" });
}
