import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type MarkdownNode, parseMarkdown } from "./markdown.ts";

/** Writes nodes as text, such as `p(a strong(b))`. */
const outline = (nodes: readonly MarkdownNode[], isCode = false): string =>
  nodes
    .map(({ tag, info, parts }) => {
      if (!tag) return info === "\n" && !isCode ? "" : info;
      return tag + (info && `[${info}]`) + (parts.length > 0 ? `(${outline(parts, tag === "pre")})` : "");
    })
    .join("");

const complete = (text: string) => outline(parseMarkdown(text.split(/\r?\n/), false));
const growing = (text: string) => outline(parseMarkdown(text.split(/\r?\n/), true));

/** A test that texts have these outlines. */
const cases = (name: string, parse: (text: string) => string, pairs: [text: string, expected: string][]) =>
  test(name, () => {
    for (const [text, expected] of pairs) assert.equal(parse(text), expected, JSON.stringify(text));
  });

cases("paragraphs are separated by blank lines, and keep their line breaks", complete, [
  ["a\nb\n\n\nc", "p(abrb)p(c)"],
  ["a\r\nb", "p(abrb)"],
  ["a\\\nb<br>c<br/>", "p(abrbbrcbr)"],
  ["  a  \n  b", "p(abrb)"],
  ["", ""],
  [" \n \n", ""],
]);

cases("headings, rules and quotes are blocks of their own, also within a paragraph", complete, [
  ["# A\n###### B *c*\ntext\n## D", "h3(A)h3(B em(c))p(text)h3(D)"],
  ["#hashtag", "p(#hashtag)"],
  ["a\n---\nb\n***\n* * *\n_ _ _", "p(a)hrp(b)hrhrhr"],
  ["a\n> b\n> > c\n> - d\n>   - e\n\nf", "p(a)blockquote(p(b)blockquote(p(c))ul(li(dul(li(e)))))p(f)"],
]);

cases("code keeps its text, without the indentation of its fence", complete, [
  ["```js\nconst a = `*b*`;\n\n  c\n```\nd", "pre[js](const a = `*b*`;\n\n  c)p(d)"],
  ["~~~\n```\n~~~", "pre(```)"],
  ["````\n```\na\n```\n````", "pre(```\na\n```)"],
  ["```\na\n", "pre(a\n)"],
  ["- a\n  ```\n    b\n  ```\n- d", "ul(li(apre(  b))li(d))"],
  ["```\n\ta\n```", "pre(\ta)"],
  ["```not`a fence", "p(```not`a fence)"],
  ["text\n```\na\n```", "p(text)pre(a)"],
]);

cases("lists nest by indentation, and continue over blank lines", complete, [
  ["- a\n- b\n  - c\n    - d\n  - e\n- f", "ul(li(a)li(bul(li(cul(li(d)))li(e)))li(f))"],
  ["1. a\n2. b\n   - c\n3. d", "ol[1](li(a)li(bul(li(c)))li(d))"],
  ["7) a\n8) b", "ol[7](li(a)li(b))"],
  ["1. a\n  - b\n     - c", "ol[1](li(aul(li(bul(li(c))))))"],
  ["- a\n\t- b\n\t\t- c\n- d", "ul(li(aul(li(bul(li(c)))))li(d))"],
  ["- a\n\n  b\n\n- c\n\nd", "ul(li(ap(b))li(c))p(d)"],
  ["- a\nlazy\n- b", "ul(li(abrlazy)li(b))"],
  ["- a\n1. b", "ul(li(a))ol[1](li(b))"],
  ["text\n* a\n+ b", "p(text)ul(li(a)li(b))"],
  ["- [ ] a\n- [x] b", "ul(li([ ] a)li([x] b))"],
  ["-\n- a", "ul(lili(a))"],
  ["-a\n1.5 b", "p(-abr1.5 b)"],
  ["1. a\n```\nb\n```\n2. c", "ol[1](li(a))pre(b)ol[2](li(c))"],
]);

cases("tables have a head, and inline marks in their cells", complete, [
  [
    "| a | *b* |\n|---|:-:|\n| c \\| d | `e` |\n\nf",
    "table(thead(tr(th(a)th(em(b))))tbody(tr(td(c | d)td(code(e)))))p(f)",
  ],
  ["a | b\n--|--\nc | d", "table(thead(tr(th(a)th(b)))tbody(tr(td(c)td(d))))"],
  ["text\n| a |\n|---|", "p(text)table(thead(tr(th(a)))tbody)"],
  ["a | b\nc", "p(a | bbrc)"],
  ["| a |\n| b |", "p(| a |)p(| b |)"],
]);

cases("marks nest, and are text where they apply to nothing", complete, [
  ["*a* _b_ **c** __d__ ~~e~~ ***f***", "p(em(a) em(b) strong(c) strong(d) s(e) strong(em(f)))"],
  ["**a *b***", "p(strong(a em(b)))"],
  ["*a **b** c*", "p(em(a strong(b) c))"],
  ["a*b*c", "p(aem(b)c)"],
  ["snake_case_name and __init__", "p(snake_case_name and strong(init))"],
  ["2 * 3 * 4 and ~5 or ~6", "p(2 * 3 * 4 and ~5 or ~6)"],
  ["**a", "p(**a)"],
  ["*a **b*", "p(em(a **b))"],
  ["\\*a\\* \\_ \\` \\n", "p(*a* _ ` \\n)"],
  ["`*a*` ``b ` c`` ` d", "p(code(*a*) code(b ` c) ` d)"],
]);

cases("links, images and addresses become links", complete, [
  ["[a](https://x.example/(b))", "p(a[https://x.example/(b)](a))"],
  ['[a *b*](<https://x.example> "title")', "p(a[https://x.example](a em(b)))"],
  ["![a](b.png) ![](c.png)", "p(a[b.png](a) a[c.png](c.png))"],
  [
    "See https://x.example/a_b, <http://y.example>.",
    "p(See a[https://x.example/a_b](https://x.example/a_b), a[http://y.example](http://y.example).)",
  ],
  ["[a](https://x.example/b_(c_(d)_e))", "p(a[https://x.example/b_(c_(d)_e)](a))"],
  ["(https://x.example/b_(c)) x", "p((a[https://x.example/b_(c)](https://x.example/b_(c))) x)"],
  ["[a](<https://x.example/b c>)", "p(a[https://x.example/b c](a))"],
  ["[![i](img)](https://x.example)", "p(a[https://x.example](span(i)))"],
  ["a &lt;b&gt; &amp;amp; `&lt;` &copy;", "p(a <b> &amp; code(&lt;) &copy;)"],
  ["**https://x.example**", "p(strong(a[https://x.example](https://x.example)))"],
  // A link in a link: the inner one counts.
  ["[https://x.example](https://y.example)", "p(span[https://y.example](a[https://x.example](https://x.example)))"],
  ["[a [b](c) d](e)", "p(span[e](a a[c](b) d))"],
  ["[a] [1]: b ](c)", "p([a] [1]: b ](c))"],
  ["[a](b c)", "p([a](b c))"],
  ["[*a](b)*", "p(a[b](*a)*)"],
]);

cases("a text that grows has marks without an end", growing, [
  ["a **b *c", "p(a strong(b em(c)))"],
  ["a **", "p(a **)"],
  ["[a](https://x.exa", "p(a(a))"],
  ["[a]", "p(a(a))"],
  ["[a", "p(a(a))"],
  ["*a\n\nb", "p(*a)p(b)"],
  ["- *a\n- *b", "ul(li(*a)li(em(b)))"],
  ["```j", "pre"],
  ["```js\na", "pre[js](a)"],
  ["| a | b |", "table(thead(tr(th(a)th(b)))tbody)"],
]);

test("hostile nesting ends at a depth, and takes linear time", () => {
  const depthOf = (nodes: readonly MarkdownNode[]): number =>
    Math.max(0, ...nodes.map(({ parts }) => 1 + depthOf(parts)));
  const pieces =
    '> ,- ,1. ,*,**a ,_a ,[,![,](,](a ,](<,](a ",`,`a``b,``` ,~~a,# ,#,|,|-,\\,https://,<br,(,-,\t, ,- - ,a*,*a _b ,[a](b,[a](b) ';
  for (const piece of pieces.split(",").flatMap((one) => [one, `${one}\n`, `${one}\n\n`])) {
    const text = piece.repeat(20_000 / piece.length);
    for (const isGrowing of [true, false]) {
      const started = performance.now();
      assert.ok(depthOf(parseMarkdown(text.split("\n"), isGrowing)) < 40, JSON.stringify(piece));
      // Quadratic time would be a minute.
      const time = performance.now() - started;
      assert.ok(time < 3_000, `${JSON.stringify(piece)}: ${time} ms`);
    }
  }
});

test("the hostile corpus becomes elements of the list only", () => {
  const allowed = new Set(
    "a blockquote br code em h3 hr li ol p pre s span strong table tbody td th thead tr ul".split(" "),
  );
  const folder = new URL("../tests/corpus/", import.meta.url);
  const tagsOf = (nodes: readonly MarkdownNode[]): string[] =>
    nodes.flatMap(({ tag, parts }) => [tag, ...tagsOf(parts)]);
  for (const name of readdirSync(folder)) {
    for (const text of readFileSync(new URL(name, folder), "utf8").split("\n%%\n")) {
      for (const tag of tagsOf(parseMarkdown(text.split("\n"), false))) assert.ok(!tag || allowed.has(tag), tag);
    }
  }
});
