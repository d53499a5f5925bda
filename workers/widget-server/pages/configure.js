// @ts-check
// The configurator: a form, a preview of it, warnings about contrast, and what to copy.
import { NAMES, hardToRead, palette } from "./contrast.js";

const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = /** @type {HTMLFormElement} */ (element("settings"));
const preview = element("preview");
const LABELS = { background: "Panel", surface: "Code and notices", text: "Text", dim: "Dimmed text", line: "Lines", accent: "Accent", on_accent: "Text on accent" };
const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** The newest release: its version and hashes; absent if the build has none. */
let release;

/** The colours that differ from the preset's. */
const colours = {};

/** The preset that is shown: `auto` follows this system. */
function shownPreset() {
  const { theme } = values();
  return theme === "auto" ? (prefersDark.matches ? "dark" : "light") : theme;
}

/** @returns {Record<string, string>} */
function values() {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}

function addColours() {
  for (const name of NAMES) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "color";
    input.dataset.colour = name;
    label.append(input, LABELS[name]);
    input.addEventListener("input", () => {
      colours[name] = input.value;
      update();
    });
    element("colours").append(label);
  }
  const reset = document.createElement("button");
  reset.type = "button";
  reset.textContent = "Use the preset's colours";
  reset.addEventListener("click", () => {
    for (const name of NAMES) delete colours[name];
    update();
  });
  element("colours").append(reset);
}

/** The settings of the key, without what is not set. */
function settings() {
  const { theme, title, welcome, placeholder, prompts, languages } = values();
  const list = (text, separator) => text.split(separator).map((item) => item.trim()).filter(Boolean);
  const found = { theme, title, welcome, placeholder, starter_prompts: list(prompts, "\n"), languages: list(languages, ","), colours: { ...colours } };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => (typeof value === "string" ? value !== "" : Object.keys(value).length > 0)));
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");

function snippet() {
  const { key, theme, position, size } = values();
  const attributes = { "data-key": key || "cl_pk_…" };
  if (theme !== "auto") attributes["data-theme"] = theme;
  if (colours.accent) attributes["data-accent"] = colours.accent;
  if (position !== "right") attributes["data-position"] = position;
  const hash = release?.files["loader.js"];
  const version = hash ? `v${release.version}` : "v1";
  const integrity = hash ? ` integrity="${hash}" crossorigin="anonymous"` : "";
  const rest = Object.entries(attributes).map(([name, value]) => `\n  ${name}="${escaped(value)}"`);
  const tag = `<script async src="${location.origin}/widget/${version}/loader.js"${integrity}${rest.join("")}></script>`;
  // A style sheet of the page reaches the button by its part.
  return size ? `${tag}\n<style>clawless-chat::part(launcher) { scale: ${size} }</style>` : tag;
}

/** Each setting as an argument of the command, safe for a shell. */
function command() {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const argument = ([name, value]) => quoted(`${name}=${typeof value === "string" && !/^[\s\d"[{tfn-]/.test(value) ? value : JSON.stringify(value)}`);
  const all = Object.entries(settings()).map(argument);
  return `cargo xtask keys widget set key_… \\\n  ${all.join(" \\\n  ")}`;
}

function update() {
  const { key, title, welcome, placeholder, prompts, position, size } = values();
  const shown = palette(shownPreset(), colours);
  for (const name of NAMES) {
    preview.style.setProperty(`--${name}`, shown[name]);
    /** @type {HTMLInputElement} */ (form.querySelector(`[data-colour="${name}"]`)).value = shown[name];
  }
  preview.style.setProperty("--launcher-scale", size || "1");
  preview.dataset.position = position;
  const text = (selector, value) => (/** @type {HTMLElement} */ (preview.querySelector(selector)).textContent = value);
  text(".panel-title", title || "Chat");
  text(".panel-welcome", welcome || "Hi! How can I help?");
  text(".panel-input", placeholder || "Write a message…");
  const buttons = prompts.split("\n").filter(Boolean).map((prompt) => Object.assign(document.createElement("span"), { textContent: prompt }));
  /** @type {HTMLElement} */ (preview.querySelector(".panel-prompts")).replaceChildren(...buttons);
  const warnings = hardToRead(shown).map(({ what, ratio }) => Object.assign(document.createElement("li"), { textContent: `Hard to read: ${what} has a contrast of ${ratio.toFixed(1)}, and 4.5 is needed.` }));
  element("warnings").replaceChildren(...warnings);
  element("snippet").textContent = snippet();
  element("command").textContent = command();
  element("demo").setAttribute("href", `/demo${key ? `#${key}` : ""}`);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = element(/** @type {HTMLElement} */ (button).dataset.copy ?? "").textContent ?? "";
    const copied = await navigator.clipboard.writeText(text).then(() => true, () => false);
    element("copied").textContent = copied ? "Copied." : "Your browser does not allow copying: select the text instead.";
  });
}

addColours();
/** @type {HTMLInputElement} */ (element("key")).value = location.hash.slice(1);
form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
prefersDark.addEventListener("change", update);
update();
// Only a release keeps its files, so only a release is pinned by its hash.
const newest = await fetch("/widget/v1/integrity.json").catch(() => undefined);
if (newest?.ok) {
  const found = await newest.json();
  const pinned = await fetch(`/widget/v${found.version}/integrity.json`).catch(() => undefined);
  if (pinned?.headers.get("cache-control")?.includes("immutable")) {
    release = found;
    update();
  }
}
