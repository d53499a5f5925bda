// The launcher: what a page shows before the app is loaded. Not part of the app.

import css from "./launcher.css";

/** Gives the element a shadow root with the launcher, and a place to report that the app cannot be loaded. */
export function mountLauncher(host: HTMLElement): readonly [launcher: HTMLElement, failure: HTMLElement] {
  const root = host.attachShadow({ mode: "open" });
  const { accent, label } = host.dataset;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${css}.launcher{--accent:${accent || "#5746e0"}}`);
  root.adoptedStyleSheets = [sheet];
  const add = (tag: string, attributes: Record<string, string>) => {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name] as string);
    root.append(element);
    return element;
  };
  return [
    add("button", { class: "launcher", part: "launcher", "aria-label": label || "Open chat" }),
    add("div", { class: "failure", role: "alert" }),
  ];
}

/** Whether a key may be used in a page: any other key is reported in the console. */
export function isPublicKey(key = ""): boolean {
  const isPublic = key.startsWith("cl_pk_");
  if (!isPublic) console.error("clawless: data-key must be a public key, cl_pk_…");
  return isPublic;
}
