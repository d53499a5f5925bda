// Parses the Markdown of answers, also before it is complete. Knows no DOM: `view/markdown.ts` shows the nodes.

/** A part of an answer: a text, or an element with parts of its own. */
export interface MarkdownNode {
  /** The name of the element; empty for a text. */
  tag: string;
  parts: MarkdownNode[];
  /** The text, or the element's only attribute: the address of a link, the language of code, the first number of a list. */
  info: string;
  /** The number of its first line in the text; only of blocks, items, rows and lines of code. */
  firstLine: number;
}

/** How deep lists and quotes are nested, and marks such as `**`. Deeper ones are text. */
const MAX_DEPTH = 12;

// The text is hostile: no pattern may need time that grows with the square of its length.

/** The start of a block: its indentation, then a fence and its language, `#`, `>`, a rule, an item's marker or a row. */
const BLOCK =
  /^(\s*)(?:(`{3,}|~{3,})([^`]*)$|(#{1,6})(?:\s+|$)|(> ?)|([-*_])(?:\s*\6){2,}\s*$|([-*+]|\d{1,9}[.)])(?:\s+|$)|\|)/;

/** Characters that models write as entities. */
const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"' };

/** The line below the head of a table. */
const DELIMITERS = /^[\s:|]*-[\s:|-]*$/;

/**
 * In a text: an escaped character, code, the start of a link or an image, the address at its end, its end without an
 * address, a mark, an address, a line break.
 */
const INLINE =
  /\\([!-/:-@[-`{-~])|(?<!`)(`+)(?!`)(.*?[^`])\2(?!`)|!?\[|\]\((?:<([^<>\n]*)>|((?:[^\s()<>]|\((?:[^\s()]|\([^\s()]*\))*\))*))(?:\s+"[^"]*")?\s*\)|\]|([*_]|~(?=~))\6*|<?(https?:\/\/(?:\([^\s<>()]*\)|[^\s<>[\]()])*(?:\([^\s<>()]*\)|[^\s<>[\]().,:;!?'"*_~|]))>?|<br ?\/?>|\n/gs;

const element = (tag: string, parts: MarkdownNode[] = [], info = "", firstLine = 0): MarkdownNode => ({
  tag,
  parts,
  info,
  firstLine,
});
const textNode = (info: string, line?: number) => element("", undefined, info, line);

const partsOf = (line: string): (string | undefined)[] => BLOCK.exec(line) ?? [];
const columnOf = (line: string) => line.search(/\S|$/);
/** Removes indentation: a tab, or that many spaces at most. */
const unindent = (line: string, columns: number) =>
  line.slice(columns && line[0] === "\t" ? 1 : Math.min(columns, columnOf(line)));

/**
 * Parses the lines of a text. If it `isGrowing`, a mark without its end applies to the rest of the last block.
 * Within other blocks, `offset` is the number of the first line.
 */
export function parseMarkdown(lines: string[], isGrowing: boolean, depth = 0, offset = 0): MarkdownNode[] {
  const blocks: MarkdownNode[] = [];
  let at = 0;
  /** Takes lines for as long as they fit. */
  const take = (fits: (line: string) => unknown): string[] => {
    const start = at;
    while (at < lines.length && fits(lines[at] as string)) at++;
    return lines.slice(start, at);
  };
  /** Whether a text that grows ends with the lines taken so far. */
  const grows = () => isGrowing && at >= lines.length;
  const parseInside = (inside: string[], line: number) => parseMarkdown(inside, grows(), depth + 1, offset + line);

  while (at < lines.length) {
    const firstLine = at;
    const first = lines[at++] as string;
    const [start = "", indent = "", fence, info = "", heading, quote, rule, marker] = partsOf(first);
    const add = (tag: string, parts?: MarkdownNode[], info?: string) =>
      blocks.push(element(tag, parts, info, offset + firstLine));
    const isNested = depth < MAX_DEPTH;
    const isHead = first.includes("|") && DELIMITERS.test(lines[at] ?? (isGrowing && start ? "-" : ""));

    if (!first.trim()) {
      // Blocks can be separated by blank lines.
    } else if (fence) {
      // An incomplete first line has no language yet.
      const language = grows() ? "" : info.trim();
      const code = take((other) => !other.trim().startsWith(fence) || /[^\s`~]/.test(other));
      add(
        "pre",
        code.map((other, index) =>
          textNode(
            unindent(other, indent.length) + (index < code.length - 1 ? "\n" : ""),
            offset + firstLine + 1 + index,
          ),
        ),
        language,
      );
      at++;
    } else if (heading) {
      add("h3", parseInline(first.slice(start.length), grows()));
    } else if (rule) {
      add("hr");
    } else if (quote && isNested) {
      at--;
      const quoted = take((other) => partsOf(other)[5]);
      add(
        "blockquote",
        parseInside(
          quoted.map((other) => other.replace(/^\s*> ?/, "")),
          firstLine,
        ),
      );
    } else if (marker && isNested) {
      at--;
      const column = indent.length;
      const isOrdered = marker.length > 1;
      const items: MarkdownNode[] = [];
      for (;;) {
        const next = lines[at] ?? "";
        const [begin = "", , , , , , , other = ""] = partsOf(next);
        if (!other || other.length > 1 !== isOrdered || columnOf(next) > column) break;
        const line = at++;
        const rest = take(
          (other) =>
            columnOf(other) > column || !other.trim() || ((lines[at - 1] as string).trim() && !BLOCK.test(other)),
        );
        const [head, ...others] = parseInside(
          [next.slice(begin.length), ...rest.map((other) => unindent(other, begin.length))],
          line,
        );
        // The text of an item is no paragraph.
        const parts = head?.tag === "p" ? [...head.parts, ...others] : head ? [head, ...others] : [];
        items.push(element("li", parts, "", offset + line));
      }
      add(isOrdered ? "ol" : "ul", items, isOrdered ? marker.slice(0, -1) : "");
    } else if (isHead) {
      at++;
      const row = (tag: string, cells: string, line = 0) =>
        element(
          "tr",
          cells
            .trim()
            .replace(/^\||\|$/g, "")
            .split(/(?<!\\)\|/)
            .map((cell) => element(tag, parseInline(cell.trim().replaceAll("\\|", "|"), false))),
          "",
          line,
        );
      const rows = take((other) => other.includes("|")).map((cells, index) =>
        row("td", cells, offset + firstLine + 2 + index),
      );
      add("table", [element("thead", [row("th", first)]), element("tbody", rows)]);
    } else {
      const text = [first, ...take((other) => other.trim() && !BLOCK.test(other))];
      add("p", parseInline(text.map((other) => other.trim().replace(/\\$/, "")).join("\n"), grows()));
    }
  }
  return blocks;
}

function parseInline(text: string, isGrowing: boolean): MarkdownNode[] {
  const root = element("p");
  /** The elements around the current place. The info of each is the mark that began them. */
  const opened = [root];
  const add = (node: MarkdownNode) => {
    if (node.tag || node.info) (opened.at(-1) ?? root).parts.push(node);
  };
  const addText = (added: string) =>
    add(textNode(added.replace(/&(lt|gt|amp|quot);/g, (_, name) => ENTITIES[name as "lt"])));
  const begin = (tag: string, mark: string) => {
    if (opened.length > MAX_DEPTH) addText(mark);
    else opened.push(element(tag, undefined, mark));
  };
  /** Ends the innermost element, or makes text of its mark. */
  const end = (isText: boolean, info = "") => {
    const { tag, parts, info: mark } = opened.pop() ?? root;
    if (isText) [textNode(mark), ...parts].forEach(add);
    else add(element(tag, parts, info));
  };
  /** Ends the innermost element with a mark that is not longer, and makes text of those inside it. Returns its mark. */
  const endMark = (sign: string, length: number, isText = false, info = ""): string => {
    const index = opened.findLastIndex(({ info: mark }) => mark.endsWith(sign) && mark.length <= length);
    if (index < 1) return "";
    while (opened.length > index + 1) end(true);
    const { info: mark, parts } = opened[index] as MarkdownNode;
    if (!parts[0]) addText(info);
    end(isText, info);
    return mark;
  };
  /** A link cannot contain another one. */
  const unlink = () => {
    for (const node of opened) if (node.tag === "a") node.tag = "span";
  };

  // An incomplete address is not shown.
  const source = isGrowing ? text.replace(/\](\([^\s()]*)?$/, "]()") : text;
  let at = 0;
  for (const match of source.matchAll(INLINE)) {
    const [token, escaped, , code, quoted, plain, sign, address] = match;
    const linked = quoted ?? plain;
    addText(source.slice(at, match.index));
    at = match.index + token.length;
    if (escaped) addText(escaped);
    else if (code) add(element("code", [textNode(code.trim())]));
    else if (address) {
      unlink();
      add(element("a", [textNode(address)], address));
    } else if (token.endsWith("[")) begin("a", token);
    else if (token[0] === "]") {
      const isText = linked === undefined;
      const mark = endMark("[", 2, isText, linked);
      if (!mark || isText) addText(token);
      // The image of a link is its text.
      else if (mark[1] && opened.some(({ tag }) => tag === "a")) {
        const image = opened.at(-1)?.parts.at(-1) as MarkdownNode;
        Object.assign(image, { tag: "span", info: "" });
      } else unlink();
    } else if (sign) {
      const before = source[match.index - 1] ?? " ";
      const after = source[at] ?? " ";
      // Underscores inside a word are text.
      const isWord = (character: string) => sign === "_" && /[\p{L}\p{N}]/u.test(character);
      let rest = token;
      if (before.trim() && !isWord(after)) {
        for (let mark = sign; mark; rest = rest.slice(mark.length)) mark = endMark(sign, rest.length);
      }
      if (after.trim() && !isWord(before)) {
        for (; rest; rest = rest.slice(2)) begin(sign === "~" ? "s" : rest[1] ? "strong" : "em", rest.slice(0, 2));
      }
      addText(rest);
    } else add(element("br"));
  }
  addText(source.slice(at));
  while (opened[1]) end(!isGrowing);
  // Separates the blocks in the text that is announced.
  addText("\n");
  return root.parts;
}
