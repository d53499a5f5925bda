// The widget in Chromium against the real stack: the demo page, a site of another origin, the configurator.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { launch, openPage, runningStack, startSite } from "../harness/browser.mjs";
import { ROOT } from "../harness/bundle.mjs";

const stack = runningStack();
/** The local model is slow. */
const ANSWER = { timeout: 90_000 };

let browser;
let site;
let key;
before(async () => {
  browser = await launch();
  site = await startSite((url) => {
    const [, version = "v1", withHash] = url.match(/version=([^&]+)(&integrity=.+)?/) ?? [];
    const integrity = withHash ? ` integrity="${decodeURIComponent(withHash.slice("&integrity=".length))}" crossorigin="anonymous"` : "";
    return `<!doctype html><html lang="en"><title>A site</title><main><h1>A site</h1></main><script async src="${stack.origin}/widget/${version}/loader.js"${integrity} data-key="${key}"></script></html>`;
  });
  key = (await mint([site.url])).key;
});
after(async () => {
  await browser?.close();
  await site?.stop();
});

async function admin(method, path, body) {
  const response = await fetch(stack.admin_url + path, { method, headers: { authorization: `Bearer ${stack.admin_token}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, text);
  return JSON.parse(text);
}

/** A public key of the demo tenant for these origins. */
async function mint(origins) {
  const { data } = await admin("GET", "/tenants?limit=100");
  const { id } = data.find(({ name }) => name === "Demo") ?? data[0];
  const made = await admin("POST", `/tenants/${id}/keys`, { name: "browser test", kind: "public", allowed_origins: origins });
  return { ...made, path: `/tenants/${id}/keys/${made.id}` };
}

const parts = (page) => ({
  launcher: page.locator("clawless-chat .launcher"),
  panel: page.locator("clawless-chat dialog"),
  input: page.locator("clawless-chat textarea"),
  answers: page.locator("clawless-chat .assistant"),
  questions: page.locator("clawless-chat .user"),
});

/** Sends a message and waits for the whole answer. */
async function ask(page, text) {
  const { input, answers } = parts(page);
  await input.fill(text);
  await input.press("Enter");
  await answers.last().locator(".again").waitFor(ANSWER);
}

const violations = async (page) => (await new AxeBuilder({ page }).analyze()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);

describe("the demo page", () => {
  test("chats_at_once_and_finds_the_conversation_after_a_reload", async () => {
    const context = await browser.newContext();
    const page = await openPage(context, stack.demo_url, [stack.origin]);
    const { launcher, questions, answers } = parts(page);
    await launcher.click();
    await ask(page, "Say hello in one word.");
    assert.equal(await questions.count(), 1);
    await page.reload();
    // The panel opens again by itself.
    await answers.last().waitFor();
    assert.equal(await questions.count(), 1, "the conversation is continued");
    assert.deepEqual(page.problems, []);
    assert.deepEqual(await violations(page), []);
    await context.close();
  });
});

describe("a site of another origin", () => {
  test("opens_by_keyboard_and_chats_with_three_origins_apart", async () => {
    const context = await browser.newContext();
    const page = await openPage(context, site.url, [stack.origin, site.url]);
    const { launcher, panel } = parts(page);
    await launcher.waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await panel.waitFor();
    await ask(page, "Say yes.");
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "hidden" });
    assert.deepEqual(page.problems, []);
    await context.close();
  });

  test("a_pinned_version_works_with_its_hash", async () => {
    const { version, files } = await (await fetch(`${stack.origin}/widget/v1/integrity.json`)).json();
    const context = await browser.newContext();
    const page = await openPage(context, `${site.url}/?version=v${version}&integrity=${encodeURIComponent(files["loader.js"])}`, [stack.origin, site.url]);
    await parts(page).launcher.click();
    await parts(page).input.waitFor();
    assert.deepEqual(page.problems, []);
    await context.close();
  });

  test("attack_11_a_site_that_is_not_in_the_list_gets_no_session", async () => {
    const other = await startSite(() => `<!doctype html><html lang="en"><title>Other</title><script async src="${stack.origin}/widget/v1/loader.js" data-key="${key}"></script></html>`);
    const context = await browser.newContext();
    const page = await openPage(context, other.url, [stack.origin, other.url]);
    const reason = page.waitForEvent("console", (message) => message.text().includes("CORS"));
    await parts(page).launcher.click();
    assert.match((await reason).text(), /No 'Access-Control-Allow-Origin' header/);
    await context.close();
    await other.stop();
  });

  test("a_revoked_key_ends_the_chat", async () => {
    const own = await mint([site.url]);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(site.url);
    const open = () => page.evaluate(async ([url, key]) => {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const response = await fetch(`${url}/v1/widget/session`, { method: "POST", headers, body: "{}" }).catch(() => undefined);
      return response ? response.status : "blocked by the browser";
    }, [stack.origin, own.key]);
    assert.equal(await open(), 200);
    await admin("POST", `${own.path}/revoke`, {});
    // A gateway that has no copy of the record cannot know the origins: the browser gets no CORS header.
    assert.ok([401, "blocked by the browser"].includes(await open()));
    await context.close();
  });
});

describe("the configurator", () => {
  test("shows_a_preview_a_snippet_and_warnings", async () => {
    const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
    const page = await openPage(context, `${stack.origin}/widget/configure#${stack.public_key}`, [stack.origin]);
    // A hash pins a release; files that are not released may change.
    const { version } = JSON.parse(readFileSync(path.join(ROOT, "widget/package.json"), "utf8"));
    const isReleased = existsSync(path.join(ROOT, `widget/releases/v${version}`));
    await page.waitForLoadState("networkidle");
    const snippet = await page.locator("#snippet").textContent();
    assert.equal(snippet.includes(" integrity="), isReleased, snippet);
    assert.ok(snippet.includes(`/widget/${isReleased ? `v${version}` : "v1"}/loader.js`), snippet);
    assert.match(await page.locator("#snippet").textContent(), new RegExp(`data-key="${stack.public_key}"`));
    await page.locator("#title").fill("O'Hara & Söhne");
    await page.locator("#theme").selectOption("midnight");
    assert.equal(await page.locator(".panel-title").textContent(), "O'Hara & Söhne");
    assert.match(await page.locator("#command").textContent(), /'title=O'\\''Hara & Söhne'/);
    assert.match(await page.locator("#snippet").textContent(), /data-theme="midnight"/);
    assert.equal(await page.locator("#warnings li").count(), 0);
    await page.locator("[data-colour=text]").fill("#333333");
    assert.match(await page.locator("#warnings").textContent(), /contrast of 1\.\d/);
    await page.getByText("Use the preset's colours").click();
    assert.equal(await page.locator("#warnings li").count(), 0);
    await page.locator("[data-copy=snippet]").click();
    await page.locator("#copied").filter({ hasText: "Copied." }).waitFor();
    assert.deepEqual(page.problems, []);
    assert.deepEqual(await violations(page), []);
    await context.close();
  });

  for (const scheme of ["light", "dark"]) {
    test(`is_accessible_when_${scheme}_and_on_a_phone`, async () => {
      const context = await browser.newContext({ colorScheme: scheme, viewport: { width: 320, height: 640 } });
      for (const path of ["/widget/configure", "/widget/demo"]) {
        const page = await openPage(context, stack.origin + path, [stack.origin]);
        await page.locator("h1").waitFor();
        assert.deepEqual(await violations(page), [], path);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${path} fits`);
        await page.close();
      }
      await context.close();
    });
  }
});
