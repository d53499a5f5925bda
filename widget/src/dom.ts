// Builds elements without HTML text.

type Properties = Record<string, string | ((event: never) => void)>;

/** Creates an element. Functions become listeners. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), properties, children);
}

/** Draws an icon of 24 × 24 units. */
export function icon(path: string): SVGElement {
  const create = (tag: "svg" | "path", properties: Properties, ...children: Node[]): SVGElement =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
  return create("svg", { viewBox: "0 0 24 24" }, create("path", { d: path }));
}

function fill<Made extends Element>(element: Made, properties: Properties, children: (Node | string)[]): Made {
  for (const name in properties) {
    const value = properties[name];
    if (typeof value === "string") element.setAttribute(name, value);
    else element.addEventListener(name, value as unknown as EventListener);
  }
  element.append(...children);
  return element;
}

/** Creates a style sheet: unlike a `style` element, a strict content security policy allows it. */
export function sheet(rules = ""): CSSStyleSheet {
  const created = new CSSStyleSheet();
  created.replaceSync(rules);
  return created;
}
