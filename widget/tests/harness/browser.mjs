// What browser tests share: the built widget, its server, a site, and Chromium.
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import { buildWidget } from "../../build.mjs";
import { KEY, startServer } from "./server.mjs";
import { startSite } from "./site.mjs";

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const program = process.env.CLAWLESS_CHROMIUM ?? PROGRAMS.find((path) => existsSync(path));

/** Builds the widget, and starts a server, a site and Chromium. */
export async function startBrowser() {
  const folder = await mkdtemp(path.join(tmpdir(), "clawless-widget-"));
  const built = await buildWidget(folder);
  const [server, site] = await Promise.all([startServer(built), startSite()]);
  server.state.origins.add(site.url);
  const browser = await chromium.launch({
    executablePath: program,
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  return {
    ...built,
    server,
    site,
    browser,
    /** The script tag of the loader. */
    tag: (attributes = "") =>
      `<script async src="${server.url}/widget/v1/loader.js" data-key="${KEY}" ${attributes}></script>`,
    async stop() {
      await browser.close();
      await Promise.all([server.stop(), site.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A page with the widget, and locators for its parts. Playwright's locators look into open shadow roots. */
export async function openPage(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  await page.goto(url);
  return Object.assign(page, {
    problems,
    launcher: page.locator("clawless-chat .launcher"),
    panel: page.locator("clawless-chat dialog"),
    input: page.locator("clawless-chat textarea"),
    send: page.locator("clawless-chat .send"),
    answers: page.locator("clawless-chat .assistant"),
    questions: page.locator("clawless-chat .user"),
    notice: page.locator("clawless-chat .notice").first(),
    /** Opens the panel, and sends a message if there is one. */
    async chat(text) {
      if (!(await this.panel.isVisible())) await this.launcher.click();
      await this.input.waitFor();
      if (text === undefined) return;
      await this.input.fill(text);
      await this.input.press("Enter");
    },
    /** Waits until the last answer is complete. */
    async answered(text) {
      await this.answers.filter({ hasText: text }).last().locator(".again").waitFor();
    },
  });
}
