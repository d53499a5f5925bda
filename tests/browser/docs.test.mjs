// The reference page in a browser: it loads nothing else, works without JavaScript, and has no accessibility
// violations in either theme, on a desktop and on a phone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const { base_url: base } = JSON.parse(readFileSync(process.env.CLAWLESS_DEV_JSON, "utf8"));
const PAGE = new URL("/docs", base).href;
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844 };

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.CLAWLESS_CHROMIUM, args: ["--no-sandbox"] });
});
after(() => browser?.close());

/** Opens the page in a context of its own, runs `use`, and checks that no error is logged and nothing else is loaded. */
async function open(options, use) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const [requests, errors] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  try {
    await page.goto(PAGE);
    await use(page, context);
    const own = [PAGE, new URL("/favicon.ico", base).href];
    assert.deepEqual(requests.filter((url) => !own.includes(url.split("#")[0])), []);
    assert.deepEqual(errors.filter((text) => !text.includes("404")), []);
  } finally {
    await context.close();
  }
}

describe("accessibility", () => {
  for (const colorScheme of ["light", "dark"]) {
    for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      test(`the_page_has_no_violation_on_a_${device}_with_the_${colorScheme}_theme`, () =>
        open({ colorScheme, viewport }, async (page) => {
          const { violations } = await new AxeBuilder({ page }).analyze();
          assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), []);
        }));
    }
  }
});

test("a_phone_scrolls_in_one_direction_only", () =>
  open({ viewport: PHONE }, async (page) => {
    const widths = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.equal(widths[0], widths[1]);
  }));

test("without_javascript_operations_are_linked_and_samples_are_chosen", () =>
  open({ javaScriptEnabled: false }, async (page) => {
    await page.getByRole("link", { name: "Create a session POST" }).click();
    const operation = page.locator("#createSession");
    assert.ok(await operation.getByRole("heading", { name: "Create a session" }).isVisible());
    await operation.getByText("Python", { exact: true }).click();
    assert.match(await operation.locator("pre:visible").first().textContent(), /import httpx/);
    assert.equal(await page.getByRole("searchbox").count(), 0, "nothing is shown that needs the script");
  }));

test("without_javascript_a_phone_opens_and_closes_the_menu", () =>
  open({ javaScriptEnabled: false, viewport: PHONE }, async (page) => {
    const link = page.locator("nav").getByRole("link", { name: "List models GET" });
    assert.equal(await link.isVisible(), false);
    await page.getByRole("link", { name: "Menu" }).click();
    await link.click();
    assert.equal(await link.isVisible(), false);
    assert.ok(await page.locator("#listModels").isVisible());
  }));

test("search_narrows_the_list_and_enter_opens_the_first_operation", () =>
  open({}, async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("delete message");
    assert.deepEqual(await page.locator("nav li:visible span:first-child").allTextContents(), ["Delete the messages of a session", "Delete a message"].filter(Boolean));
    await page.keyboard.press("Enter");
    assert.equal(new URL(page.url()).hash.length > 1, true);
    await page.getByRole("searchbox").fill("xyzzy");
    assert.ok(await page.getByText("Nothing found.").isVisible());
    await page.keyboard.press("Escape");
    assert.ok((await page.locator("nav li:visible").count()) > 15);
  }));

test("a_sample_is_copied_and_its_language_is_kept", () =>
  open({ permissions: ["clipboard-read", "clipboard-write"] }, async (page) => {
    const operation = page.locator("#createSession");
    await operation.getByText("Node", { exact: true }).click();
    await operation.getByRole("button", { name: "Copy" }).first().click();
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /await fetch/);
    await page.reload();
    assert.match(await page.locator("#listModels pre:visible").first().textContent(), /process\.env/);
  }));

test("the_theme_is_the_systems_until_it_is_chosen", () =>
  open({ colorScheme: "dark" }, async (page) => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.getByRole("button", { name: "Use the light theme" }).click();
    const light = await background();
    assert.notEqual(light, dark);
    await page.reload();
    assert.equal(await background(), light);
  }));

test("the_policy_allows_only_the_pages_own_style_and_script", async () => {
  const response = await fetch(PAGE);
  const policy = response.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.ok(!/unsafe|\*|https?:/.test(policy), policy);
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
});
