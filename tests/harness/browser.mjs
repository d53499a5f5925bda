// Chromium and pages for the tests in a browser, against the running stack that `CLAWLESS_DEV_JSON` describes.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome-stable", "/usr/bin/google-chrome"];

/** The running stack: the content of dev.json, and `origin`. */
export function runningStack() {
  const described = process.env.CLAWLESS_DEV_JSON;
  if (!described) throw new Error("Set CLAWLESS_DEV_JSON to the dev.json of a running stack (cargo xtask dev --detach writes it).");
  const stack = JSON.parse(readFileSync(described, "utf8"));
  return { ...stack, origin: new URL(stack.base_url).origin };
}

/** Starts Chromium; the caller closes it. */
export function launch() {
  const program = process.env.CLAWLESS_CHROMIUM ?? PROGRAMS.find((path) => existsSync(path));
  if (!program) throw new Error("No Chromium: install it (apt-get install chromium), or set CLAWLESS_CHROMIUM to its path.");
  return chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"] });
}

/** Starts a site whose page `html(url)` returns; the caller calls `stop()`. */
export async function startSite(html) {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
    response.end(html(request.url));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

/** A page that records what must not happen: errors, and requests to other origins than `allowed`. */
export async function openPage(context, url, allowed) {
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems = [];
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    const { origin } = new URL(request.url());
    if (!allowed.includes(origin)) problems.push(`a request to ${request.url()}`);
  });
  await page.goto(url);
  return Object.assign(page, { problems });
}
