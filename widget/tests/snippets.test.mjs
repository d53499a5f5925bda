// Runs every snippet of the integration guide: the widget opens and answers.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { build } from "esbuild";
import { compile } from "svelte/compiler";
import { compileScript, compileTemplate, parse } from "vue/compiler-sfc";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { KEY } from "./harness/server.mjs";

const folder = new URL("../../docs/widget/snippets/", import.meta.url).pathname;
const here = new URL(".", import.meta.url).pathname;

let widget;
let context;
before(async () => {
  widget = await startBrowser();
});
after(() => widget.stop());
beforeEach(async () => {
  widget.server.reset();
  await context?.close();
  context = await widget.browser.newContext();
});

/** A snippet with this test's server and key. */
async function snippet(name) {
  const text = await readFile(path.join(folder, name), "utf8");
  return text.replaceAll("https://chat.example.com", widget.server.url).replaceAll("cl_pk_…", KEY);
}

async function answers(page) {
  await page.chat("hi");
  await page.answered("How can I help?");
  assert.deepEqual(page.problems, []);
}

/** Opens the page of an HTML snippet; `/chat-token` belongs to the site. */
async function visit(name, change = (html) => html) {
  widget.site.page("x.eyJzdWIiOiJhZGEifQ.y", { path: "/chat-token" });
  return openPage(context, widget.site.page(change(await snippet(name))));
}

test("every snippet has a test", async () => {
  const tested = (await readFile(new URL(import.meta.url), "utf8")).match(/"[\w-]+\.(html|jsx|vue|svelte)"/g);
  for (const name of await readdir(folder)) assert.ok(tested.includes(`"${name}"`), name);
});

test("plain HTML", async () => answers(await visit("plain.html")));

test("a pinned release with its integrity hash, and not with another", async () => {
  const { files } = JSON.parse(await readFile(path.join(widget.folder, "integrity.json"), "utf8"));
  await answers(await visit("pinned.html", (html) => html.replace("sha384-…", files["loader.js"])));
  const page = await visit("pinned.html", (html) => html.replace("sha384-…", files["app.js"]));
  await page.waitForLoadState("networkidle");
  assert.equal(await page.locator("clawless-chat").count(), 0);
});

test("a content management system", async () => answers(await visit("wordpress.html")));

test("a strict content security policy", async () => answers(await visit("strict-csp.html")));

test("a single-page application", async () => {
  const page = await visit("single-page.html");
  await answers(page);
  await page.getByText("Pricing").first().click();
  await page.locator("h1").getByText("Pricing").waitFor();
  assert.ok(await page.panel.isVisible());
  assert.equal(await page.answers.count(), 1);
});

test("theming", async () => {
  const page = await visit("theming.html");
  await page.launcher.waitFor();
  assert.equal(await page.launcher.getAttribute("aria-label"), "Fragen?");
  await page.chat();
  const { borderRadius, backgroundColor, left } = await page.panel.evaluate((panel) => {
    const { borderRadius, backgroundColor } = getComputedStyle(panel);
    return { borderRadius, backgroundColor, left: panel.getBoundingClientRect().left };
  });
  assert.deepEqual([borderRadius, backgroundColor, left], ["8px", "rgb(12, 17, 34)", 32]);
  assert.equal(await page.send.evaluate((send) => getComputedStyle(send).backgroundColor), "rgb(255, 212, 0)");
  await answers(page);
});

test("signed-in users", async () => {
  const page = await visit("signed-in.html");
  await page.waitForFunction(() => "Clawless" in window);
  await answers(page);
  assert.equal(widget.server.state.bodies.at(-1).user_token, "x.eyJzdWIiOiJhZGEifQ.y");
  await page.locator("#sign-out").click();
  await page.answers.waitFor({ state: "detached" });
  await answers(page);
  assert.equal(widget.server.state.bodies.at(-1).user_token, undefined);
});

test("events and methods", async () => {
  const page = await visit("events.html");
  await page.waitForFunction(() => document.querySelector("#help").onclick);
  await page.locator("#help").click();
  await page.answered("How can I help?");
  await page.chat("my password is x");
  assert.deepEqual(await page.questions.allTextContents(), ["Tell me about this product."]);
});

/** Bundles an application of a framework and opens its page. */
async function application(source, loader, plugins) {
  const result = await build({
    stdin: { contents: source, loader, resolveDir: here },
    bundle: true,
    format: "esm",
    write: false,
    jsx: "automatic",
    alias: { "clawless-widget": path.join(widget.folder, "../../npm/index.js") },
    define: {
      "process.env.NODE_ENV": '"production"',
      __VUE_OPTIONS_API__: "false",
      __VUE_PROD_DEVTOOLS__: "false",
      __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    },
    conditions: ["browser"],
    plugins,
    logLevel: "error",
  });
  const script = result.outputFiles[0].text.replaceAll("</script", "<\\/script");
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>App</title><div id="app"></div><script type="module">${script}</script></html>`;
  const page = await openPage(context, widget.site.page(html));
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  return { page, said };
}

/** Makes a file of a snippet importable as `snippet`. */
const provide = (contents, loader) => ({
  name: "snippet",
  setup(build) {
    build.onResolve({ filter: /^snippet$/ }, () => ({ path: "snippet", namespace: "snippet" }));
    build.onLoad({ filter: /.*/, namespace: "snippet" }, () => ({ contents, loader, resolveDir: here }));
  },
});

test("React", async () => {
  const main = `import { createRoot } from "react-dom/client"; import { Chat } from "snippet";
    createRoot(document.querySelector("#app")).render(<Chat theme="dark" />);`;
  const { page, said } = await application(main, "jsx", [provide(await snippet("react.jsx"), "jsx")]);
  await answers(page);
  assert.ok(said.includes("assistant Hello! How can I help?"), `${said}`);
  assert.equal(await page.panel.evaluate((panel) => getComputedStyle(panel).backgroundColor), "rgb(23, 23, 28)");
});

test("Vue", async () => {
  const { descriptor } = parse(await snippet("Chat.vue"));
  const isCustomElement = (tag) => tag === "clawless-chat";
  const script = compileScript(descriptor, { id: "chat" });
  const template = compileTemplate({
    id: "chat",
    filename: "Chat.vue",
    source: descriptor.template.content,
    compilerOptions: { isCustomElement, bindingMetadata: script.bindings },
  });
  const component = `${script.content.replace("export default", "const component =")}\n${template.code}\nexport default { ...component, render };`;
  const main = `import { createApp, h } from "vue"; import Chat from "snippet";
    createApp({ render: () => h(Chat, { theme: "paper", onMessage: ({ role, text }) => console.log(role, text) }) }).mount("#app");`;
  const { page, said } = await application(main, "js", [provide(component, "js")]);
  await answers(page);
  assert.ok(said.includes("assistant Hello! How can I help?"), `${said}`);
});

test("Svelte", async () => {
  const { js } = compile(await snippet("Chat.svelte"), { generate: "client", filename: "Chat.svelte" });
  const main = `import { mount } from "svelte"; import Chat from "snippet";
    mount(Chat, { target: document.querySelector("#app"), props: { theme: "midnight", onmessage: ({ role, text }) => console.log(role, text) } });`;
  const { page, said } = await application(main, "js", [provide(js.code, "js")]);
  await answers(page);
  assert.ok(said.includes("assistant Hello! How can I help?"), `${said}`);
});
