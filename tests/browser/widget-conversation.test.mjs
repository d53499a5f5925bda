// The widget in Chromium against gateway, admin and widget-server on workerd with a scripted provider: every state of a
// conversation, on a page of another origin. A screenshot of each state is written to build/screenshots (ignored by git).
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { openPage } from "../../widget/tests/harness/browser.mjs";
import { shopPage, startSite } from "../../widget/tests/harness/site.mjs";
import { completionOrStream, cutMidBody, errorAfter200, failure } from "../harness/behaviours.mjs";
import { launch } from "../harness/browser.mjs";
import { ROOT } from "../harness/bundle.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";
import { backEnds, createSite, PNG, userToken } from "../harness/widget.mjs";

const SCREENSHOTS = path.join(ROOT, "build/screenshots");
const SETTINGS = { title: "Acme", welcome: "Hi there 👋 How can we help you today?", starter_prompts: ["Where is my order?", "How do I return an item?"] };
const ANSWER = "You have **30 days** to return an item:\n\n1. Open [your orders](https://example.com/orders).\n2. Print the label.\n3. Hand in the parcel.\n";
const CHAT = "/v1/chat/completions";

let stack;
let browser;
let pages;
let site;
let context;
before(async () => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  stack = await startStack();
  pages = await startSite();
  browser = await launch();
  site = await createSite(stack, { origins: [pages.url], settings: SETTINGS });
});
after(async () => {
  await browser?.close();
  await pages?.stop();
  await stack?.stop();
});
beforeEach(() => stack.upstream.reset());

const tag = (key = site.key, attributes = "", version = "v1") => `<script async src="${stack.url}/widget/${version}/loader.js" data-key="${key}" ${attributes}></script>`;

/** Opens a page with the widget in a new browser profile; records the widget's requests as `METHOD path`. */
async function visit({ key, attributes, shop = {}, ...options } = {}) {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 900, height: 800 }, ...options });
  return openTab({ key, attributes, shop });
}

/** Opens a page with the widget in the same profile. */
async function openTab({ key, attributes, shop = {} } = {}) {
  const url = pages.page(shopPage(tag(key, attributes), shop));
  const requests = [];
  context.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (origin === stack.url && request.method() !== "OPTIONS") requests.push(`${request.method()} ${pathname}`);
    else if (origin !== pages.url && !request.url().startsWith("blob:")) requests.push(`foreign ${request.url()}`);
  });
  const page = await openPage(context, url);
  await page.launcher.waitFor();
  return Object.assign(page, { requests });
}

/** Waits for the end of animations, writes a screenshot, and checks accessibility. */
async function show(page, name) {
  await page.waitForTimeout(300);
  await page.screenshot({ path: path.join(SCREENSHOTS, `${name}.png`) });
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join(" ")}`), [], name);
}

const answer = (content, delayMs = 0) => completionOrStream({ content, delayMs });
/** A long answer, slow enough to be seen while it grows. */
const slow = (delayMs = 60) => answer(Array.from({ length: 60 }, (_, at) => `Part ${at}.`).join(" "), delayMs);
const count = (page, request) => page.requests.filter((one) => one.startsWith(request)).length;
const stored = (page) => page.evaluate(() => JSON.parse(localStorage[Object.keys(localStorage).find((key) => !key.includes(":unsent:"))]));

describe("a conversation", () => {
  test("begins_with_four_requests_to_one_origin_and_streams", async () => {
    const page = await visit();
    await show(page, "closed");
    assert.deepEqual(page.requests, ["GET /widget/v1/loader.js"]);
    await page.chat();
    await page.panel.getByText("Where is my order?").waitFor();
    await show(page, "open");
    stack.upstream.next(answer(ANSWER, 150));
    await page.chat("How do I return an item?");
    await page.answers.getByText("30 days").waitFor();
    await show(page, "streaming");
    await page.answered("Hand in the parcel.");
    await show(page, "answered");
    const version = page.requests[1].split("/")[2];
    assert.deepEqual(page.requests, ["GET /widget/v1/loader.js", `GET /widget/${version}/app.js`, "POST /v1/widget/session", `POST ${CHAT}`]);
    assert.equal(await page.answers.locator("strong").textContent(), "30 days");
    assert.deepEqual(page.problems, []);
  });

  test("opens_and_closes_by_keyboard", async () => {
    const page = await visit();
    await page.locator("#page-button").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.input.waitFor();
    await page.keyboard.type("Hello");
    await page.keyboard.press("Enter");
    await page.answered("Hello there.");
    await page.keyboard.press("Escape");
    await page.panel.waitFor({ state: "hidden" });
    // The browser reports the end of a dialog a moment after it has hidden it.
    await page.waitForFunction(() => document.activeElement.shadowRoot?.activeElement?.className === "launcher");
    assert.deepEqual(page.problems, []);
  });

  test("is_stopped_and_keeps_the_text", async () => {
    const page = await visit();
    stack.upstream.next(slow());
    await page.chat("Tell me everything.");
    await page.answers.getByText("Part 5.").waitFor();
    await page.send.click();
    await page.answers.getByText("The answer was stopped.").waitFor();
    await show(page, "stopped");
    // The server finishes the turn; the next message waits for it.
    await page.chat("And then?");
    await page.answered("Hello there.");
    assert.equal(stack.upstream.requests.length, 2);
    const { messages: sent } = stack.upstream.lastBody;
    assert.match(JSON.stringify(sent), /Part 59\./, "the session has the whole answer");
  });

  test("is_tried_again_after_a_failure", async () => {
    const page = await visit();
    stack.upstream.always(failure(500));
    await page.chat("Hello?");
    await page.answers.getByText("Try again").waitFor();
    await show(page, "failed");
    stack.upstream.reset();
    await page.answers.getByText("Try again").click();
    await page.answered("Hello there.");
    assert.equal(await page.answers.count(), 1);
    assert.equal(await page.questions.count(), 1);
  });

  for (const [name, behaviour] of [["an_error", errorAfter200], ["a_cut_connection", cutMidBody]]) {
    test(`is_asked_again_after_${name}_of_the_provider`, async () => {
      const page = await visit();
      stack.upstream.next(behaviour({ pieces: ["Half an ", "answer"] }));
      await page.chat("Hello?");
      await page.answers.getByText("The answer was interrupted.").waitFor();
      await show(page, `interrupted-by-${name}`);
      await page.answers.getByText("Try again").click();
      await page.answered("Hello there.");
      assert.equal(await page.answers.count(), 1);
      assert.equal(await page.questions.count(), 1);
      // The broken turn is gone, on the server too.
      await page.reload();
      await page.answered("Hello there.");
      assert.equal(await page.answers.count(), 1);
      assert.equal(await page.questions.count(), 1);
    });
  }

  test("replaces_its_last_answer_by_a_new_one", async () => {
    const page = await visit();
    await page.chat("Hello?");
    await page.answered("Hello there.");
    stack.upstream.next(answer("Another one."));
    await page.answers.last().locator(".again").click();
    await page.answered("Another one.");
    assert.equal(count(page, "DELETE /v1/sessions/"), 2);
    await page.reload();
    await page.answered("Another one.");
    assert.equal(await page.answers.count(), 1);
    assert.equal(await page.questions.count(), 1);
  });

  test("is_deleted_by_the_visitor", async () => {
    const page = await visit();
    await page.chat("A secret.");
    await page.answered("Hello there.");
    const { id } = await stored(page);
    await page.panel.locator("footer > .dim").getByText("Delete my data").click();
    await show(page, "deleting");
    await page.panel.getByText("Delete this conversation?").click();
    await page.notice.getByText("deleted").waitFor();
    await show(page, "deleted");
    for (const table of ["messages", "widget_sessions"]) assert.deepEqual(await stack.rows(`SELECT * FROM ${table} WHERE session_id = ?1`, id), [], table);
    await page.chat("A new start.");
    await page.answered("Hello there.");
    assert.notEqual((await stored(page)).id, id);
  });
});

test("an_old_pinned_release_works_with_the_current_server", async () => {
  const release = path.join(ROOT, "tests/fixtures/widget-v0.9.0");
  const { files } = JSON.parse(readFileSync(path.join(release, "integrity.json"), "utf8"));
  await context?.close();
  context = await browser.newContext();
  // The server embeds the releases in widget/releases; this build was never released.
  await context.route(`${stack.url}/widget/v0.9.0/**`, (route) => route.fulfill({ path: path.join(release, route.request().url().split("/v0.9.0/")[1]), headers: { "access-control-allow-origin": "*", "content-type": "text/javascript" } }));
  const page = await openPage(context, pages.page(shopPage(tag(site.key, `integrity="${files["loader.js"]}" crossorigin="anonymous"`, "v0.9.0"))));
  const versions = new Set();
  page.on("request", (request) => versions.add(/\/widget\/(v[^/]+)/.exec(request.url())?.[1]));
  await page.chat("My name is Ada.");
  await page.answered("Hello there.");
  await page.panel.getByText("Where is my order?").waitFor({ state: "hidden" });
  stack.upstream.next(slow());
  await page.chat("Count.");
  await page.answers.getByText("Part 3.").waitFor();
  await page.reload();
  await page.answered("Part 59.");
  assert.equal(await page.questions.count(), 2);
  await page.answers.last().locator(".again").click();
  await page.answered("Hello there.");
  await page.panel.locator("footer > .dim").getByText("Delete my data").click();
  await page.panel.locator(".notice button").getByText("Delete my data").click();
  await page.notice.getByText("deleted").waitFor();
  versions.delete(undefined);
  assert.deepEqual([...versions], ["v0.9.0"]);
  assert.deepEqual(page.problems, []);
});

describe("a reload", () => {
  test("finds_the_conversation_and_the_open_panel", async () => {
    const page = await visit();
    await page.chat("My name is Ada.");
    await page.answered("Hello there.");
    const before = await stored(page);
    await page.reload();
    await page.panel.getByText("My name is Ada.").waitFor();
    await page.answered("Hello there.");
    assert.deepEqual(await stored(page), before);
    await page.chat("What is my name?");
    await until(() => stack.upstream.requests.length === 2, "the second message arrives");
    assert.match(JSON.stringify(stack.upstream.lastBody.messages), /My name is Ada/);
  });

  test("continues_a_running_answer_with_one_model_call", async () => {
    const page = await visit();
    stack.upstream.next(slow());
    await page.chat("Count.");
    await page.answers.getByText("Part 3.").waitFor();
    await page.reload();
    await page.answered("Part 59.");
    assert.equal(stack.upstream.requests.length, 1);
    assert.equal(await page.questions.count(), 1);
    assert.equal(await page.answers.count(), 1);
  });

  test("resumes_a_running_answer_whose_message_is_unknown_here", async () => {
    const page = await visit();
    stack.upstream.next(slow());
    await page.chat("Count.");
    await page.answers.getByText("Part 3.").waitFor();
    await page.evaluate(() => {
      for (const key of Object.keys(localStorage)) if (key.includes(":unsent:")) delete localStorage[key];
    });
    await page.reload();
    await page.answered("Part 59.");
    await page.questions.getByText("Count.").waitFor();
    assert.equal(stack.upstream.requests.length, 1);
    assert.equal(await page.answers.count(), 1);
    assert.ok(page.requests.some((one) => /^GET \/v1\/sessions\/web_\w+\/turns\/req_/.test(one)), page.requests.join("\n"));
  });
});

describe("offline", () => {
  test("messages_wait_and_are_sent_once_in_order", async () => {
    const page = await visit();
    await page.chat("Hello");
    await page.answered("Hello there.");
    await context.setOffline(true);
    await page.chat("first");
    await page.chat("second");
    await page.notice.getByText("offline").waitFor();
    await show(page, "offline");
    assert.equal(await page.questions.getByText("Waiting to send").count(), 2);
    await context.setOffline(false);
    await until(async () => (await page.answers.locator(".again").count()) === 3, "all are answered");
    const asked = stack.upstream.lastBody.messages.filter(({ role }) => role === "user").map(({ content }) => content);
    assert.deepEqual(asked, ["Hello", "first", "second"]);
    assert.equal(stack.upstream.requests.length, 3);
  });

  test("two_tabs_send_each_message_once", async () => {
    const one = await visit();
    await one.chat("Hello");
    await one.answered("Hello there.");
    const other = await openTab();
    await other.chat();
    await other.answered("Hello there.");
    await context.setOffline(true);
    await one.chat("from one");
    await other.chat("from the other");
    await other.notice.getByText("offline").waitFor();
    await context.setOffline(false);
    for (const page of [one, other]) await until(async () => (await page.answers.locator(".foot").count()) === 3 && (await page.panel.getByText("Waiting to send").count()) === 0, "both tabs show all answers");
    assert.equal(stack.upstream.requests.length, 3);
    const { id } = await stored(one);
    assert.equal((await stack.rows("SELECT * FROM turns WHERE session_id = ?1", id)).length, 3);
  });
});

describe("the key's settings", () => {
  test("reach_the_widget_and_a_change_reaches_an_open_one", async () => {
    const own = await createSite(stack, { origins: [pages.url], settings: { ...SETTINGS, colours: { accent: "#0b6a94" }, languages: ["de"] } });
    await stack.admin("PUT", `${own.path}/widget/logo`, { image: PNG });
    const page = await visit({ key: own.key, shop: { lang: "fr" } });
    await page.chat();
    await page.panel.locator(".logo img").waitFor();
    await page.panel.getByText("KI-Assistent").waitFor();
    assert.equal(await page.panel.locator("h2").textContent(), "Acme");
    assert.equal(await page.send.evaluate((element) => getComputedStyle(element).backgroundColor), "rgb(11, 106, 148)");
    await show(page, "settings");
    await stack.admin("PATCH", `${own.path}/widget`, { title: "Renamed" });
    await page.chat("Hallo");
    await page.answered("Hello there.");
    assert.equal(await page.panel.locator("h2").textContent(), "Renamed");
    assert.equal(await page.questions.count(), 1, "the conversation is the same");
    assert.deepEqual(page.requests.filter((one) => one.startsWith("foreign")), []);
  });

  test("identify_a_signed_in_user_by_the_token_of_the_site", async () => {
    const { ES256 } = backEnds();
    const own = await createSite(stack, { origins: [pages.url], settings: { user_tokens: { algorithm: "ES256", public_key: ES256.publicKey, required: true } } });
    const page = await visit({ key: own.key });
    await page.chat("Hello");
    await page.answers.getByText("not available here").waitFor();
    const sign = (sub) => userToken("ES256", ES256.privateKey, { sub, aud: own.keyId });
    const setUser = (token) => page.evaluate((token) => window.Clawless.setUser(async () => token), token);
    await setUser(sign("ada"));
    await page.chat("I am Ada.");
    await page.answered("Hello there.");
    await setUser(sign("bob"));
    await until(async () => (await page.questions.count()) === 0, "another user has another conversation");
    await page.chat("I am Bob.");
    await page.answered("Hello there.");
    await setUser(sign("ada"));
    await page.questions.getByText("I am Ada.").waitFor();
    const users = await stack.rows("SELECT user_id FROM widget_sessions WHERE key_id = ?1 ORDER BY user_id", own.keyId);
    assert.deepEqual(users.map(({ user_id: user }) => user), ["ada", "bob"]);
  });
});

describe("the look", () => {
  test("follows_the_theme_and_the_language", async () => {
    const page = await visit();
    stack.upstream.next(answer(ANSWER));
    await page.chat("How do I return an item?");
    await page.answered("Hand in the parcel.");
    for (const theme of ["dark", "paper", "midnight"]) {
      await page.evaluate((theme) => window.Clawless.setTheme(theme), theme);
      await show(page, `theme-${theme}`);
    }
    await page.evaluate(() => {
      document.querySelector("clawless-chat").dataset.lang = "ar";
    });
    await page.locator("clawless-chat .layout[dir=rtl]").waitFor();
    await page.answered("Hand in the parcel.");
    await show(page, "language-ar");
    assert.deepEqual(page.problems, []);
  });

  for (const [name, options] of Object.entries({
    mobile: { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true },
    "mobile-dark-320": { viewport: { width: 320, height: 600 }, isMobile: true, hasTouch: true, colorScheme: "dark" },
  })) {
    test(`fills_the_screen_of_a_phone_${name}`, async () => {
      const page = await visit(options);
      await show(page, `${name}-closed`);
      await page.launcher.tap();
      await page.panel.getByText("Where is my order?").waitFor();
      await show(page, `${name}-open`);
      stack.upstream.next(answer(ANSWER));
      await page.panel.getByText("How do I return an item?").tap();
      await page.answered("Hand in the parcel.");
      await show(page, `${name}-answered`);
      assert.deepEqual(await page.panel.boundingBox(), { x: 0, y: 0, ...options.viewport });
      assert.deepEqual(page.problems, []);
    });
  }
});

describe("hostile pages and answers", () => {
  test("attack_38_markup_of_an_answer_is_inert", async () => {
    const page = await visit({ shop: { head: "<script>window.hits = 0;</script>" } });
    const hostile = '<img src=x onerror="window.hits++"><script>window.hits++</script> ![a](https://evil.example/a.png) [b](javascript:window.hits++) <iframe src="https://evil.example"></iframe>';
    stack.upstream.next(answer(hostile));
    await page.chat("Show me.");
    await page.answered("onerror");
    await show(page, "hostile");
    assert.equal(await page.evaluate(() => window.hits), 0);
    assert.equal(await page.answers.locator("img, script, iframe").count(), 0);
    for (const link of await page.answers.locator("a[href]").all()) assert.match(await link.getAttribute("href"), /^https:/);
    assert.deepEqual(page.requests.filter((one) => one.startsWith("foreign")), []);
  });

  test("attack_11_and_53_a_foreign_origin_gets_no_session_and_reads_no_answer", async () => {
    const other = await startSite();
    try {
      await context?.close();
      context = await browser.newContext();
      const page = await openPage(context, other.page(shopPage(tag())));
      const refused = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/v1/widget/session"));
      const reason = page.waitForEvent("console", (message) => message.text().includes("CORS"));
      await page.chat("Hello");
      await refused;
      assert.match((await reason).text(), /No 'Access-Control-Allow-Origin' header/);
      await page.notice.getByText("cannot be reached").waitFor();
      await show(page, "foreign-origin");
      assert.equal(stack.upstream.requests.length, 0);
    } finally {
      await other.stop();
    }
  });

  test("attack_54_the_pages_of_the_server_cannot_be_framed", async () => {
    await context?.close();
    context = await browser.newContext();
    for (const target of ["/demo", "/widget/configure"]) {
      const page = await openPage(context, pages.page(`<!doctype html><html lang="en"><title>Frames</title><iframe src="${stack.url}${target}" title="x"></iframe></html>`));
      await until(() => page.frames().length === 2, "the frame exists");
      await page.waitForTimeout(300);
      const text = await page.frames()[1].evaluate(() => document.body?.innerText ?? "").catch(() => "");
      assert.doesNotMatch(text, /widget/i, target);
      await page.close();
    }
  });

  test("a_server_that_is_down_leaves_the_page_alone", async () => {
    const page = await visit();
    await context.setOffline(true);
    await page.launcher.click();
    await page.locator("clawless-chat .failure").getByText("not available").waitFor();
    await show(page, "unavailable");
    await page.locator("#page-button").click();
    await context.setOffline(false);
    await page.launcher.click();
    await page.input.waitFor();
    assert.deepEqual(page.problems, []);
  });
});
