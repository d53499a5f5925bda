// Builds elements without HTML text.

type Properties = Record<string, string | ((event: never) => void)>;

/** Creates an element. Functions become listeners. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
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
