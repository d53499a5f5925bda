// Shows an answer while it arrives: changes only what differs, so that a selection and the focus stay.

import { h } from "../dom.ts";
import { type MarkdownNode, parseMarkdown } from "../markdown.ts";
import { safeUrl } from "../url.ts";

/** Creates the frame of a code block: its language, a button that copies it, and the code. */
export type CodeFrame = (language: string, code: HTMLElement) => HTMLElement;

/** A node on the page. */
interface Shown extends MarkdownNode {
  element: ChildNode;
  /** Where its content is. */
  inner: ParentNode;
  /** The parts that can still change. */
  parts: Shown[];
  /** Whether it has had other parts. */
  isCut?: boolean;
}

/** Returns a function that takes pieces of Markdown, cut anywhere; without a piece it ends the text. */
export function markdownWriter(root: HTMLElement, codeFrame: CodeFrame): (piece?: string) => void {
  // Lines, blocks and their parts that cannot change any more are dropped: the time does not grow with the answer.
  let lines: string[] = [""];
  let shown: Shown[] = [];

  function create({ tag, info }: MarkdownNode): Shown {
    const made = (element: ChildNode, inner: unknown = element) => ({
      tag,
      info,
      firstLine: 0,
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
      const { tag, info, parts, firstLine } = node;
      let current = before[index];
      if (current?.tag !== tag || (current.info !== info && !current.isCut)) {
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
      current.firstLine = firstLine;
      return current;
    });
  }

  /** Drops what cannot change any more. The last line can still join the block, item or row before its own. */
  function settle(): void {
    const drop = (from: number, to: number) => lines.fill(undefined as never, from, to);
    drop(0, shown.at(-2)?.firstLine ?? 0);
    shown = shown.slice(-2);
    for (let node = shown[1] ?? shown[0]; node && node.tag !== "blockquote"; node = node.parts.at(-1)) {
      const { tag, parts } = node;
      const [first, last] = [parts[0], parts.at(-2)];
      const margin = ({ firstLine }: Shown) => (lines[firstLine] as string).search(/\S|$/);
      if (!/^([uo]l|tbody|pre)$/.test(tag) || !first || !last || (/l$/.test(tag) && margin(first) !== margin(last)))
        continue;
      drop(first.firstLine, last.firstLine);
      node.parts = parts.slice(-2);
      node.isCut = true;
    }
    lines = lines.filter((line) => line !== undefined);
  }

  return (piece) => {
    lines = [...lines.slice(0, -1), ...(lines.at(-1) + (piece ?? "")).split(/\r?\n/)];
    shown = update(root, shown, parseMarkdown(lines, piece !== undefined));
    settle();
  };
}

/** Gives a link its address if it is safe. An image is a link too: nothing is loaded before a click. */
function link(element: HTMLAnchorElement, address: string): void {
  const url = address && safeUrl(address);
  if (url) Object.assign(element, { href: url, title: url, target: "_blank", rel: "noreferrer" });
}
