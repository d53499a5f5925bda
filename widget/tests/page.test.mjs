// The widget in pages of every kind: strict policies, hostile styles, failing hosts, several widgets, navigation.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { KEY, OTHER_KEY, reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";

/** An image of one pixel. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

let widget;
let context;
before(async () => {
  widget = await startBrowser();
});
after(() => widget.stop());
beforeEach(async () => {
  widget.server.reset();
  await context?.close();
  context = await widget.browser.newContext({ viewport: { width: 900, height: 700 } });
});

const visit = (html, options) => openPage(context, widget.site.page(html, options));

describe("a page view", () => {
  test("costs one request before interaction, four with the first message, and none to others", async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.launcher.waitFor();
    await page.waitForLoadState("networkidle");
    assert.deepEqual(widget.server.state.requests, ["GET /widget/v1/loader.js"]);
    const urls = [];
    page.on("request", (request) => urls.push(request.url()));
    await page.chat("hi");
    await page.answered("How can I help?");
    assert.deepEqual(widget.server.state.requests, [
      "GET /widget/v1/loader.js",
      `GET /widget/v${widget.version}/app.js`,
      "POST /v1/widget/session",
      "POST /v1/chat/completions",
    ]);
    assert.deepEqual(
      urls.filter((url) => !url.startsWith(widget.server.url)),
      [],
    );
  });

  test("shifts no layout, and leaves everything around the widget clickable", async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.evaluate(() => {
      window.shift = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.shift += entry.value;
      }).observe({ type: "layout-shift", buffered: true });
      document.querySelector("#page-button").onclick = () => {
        window.clicks = (window.clicks ?? 0) + 1;
      };
    });
    await page.locator("#page-button").click();
    await page.chat("hi");
    await page.answered("How can I help?");
    await page.locator("#page-button").click();
    const hit = await page.evaluate(() => {
      const { left, top } = document
        .querySelector("clawless-chat")
        .shadowRoot.querySelector("dialog")
        .getBoundingClientRect();
      return [
        [left - 5, top + 50],
        [left + 50, top - 5],
        [10, innerHeight - 10],
      ].map(([x, y]) => document.elementFromPoint(x, y)?.localName);
    });
    assert.ok(!hit.includes("clawless-chat"), `${hit}`);
    assert.equal(await page.evaluate(() => window.clicks), 2);
    assert.equal(await page.evaluate(() => window.shift), 0);
  });

  test("loads the app on hover or focus, before a click", async () => {
    for (const approach of [(page) => page.launcher.hover(), (page) => page.launcher.focus()]) {
      const page = await visit(shopPage(widget.tag()));
      const app = page.waitForResponse((response) => response.url().includes("/app.js?"));
      await approach(page);
      await app;
      assert.ok(await page.panel.isHidden());
      assert.equal(widget.server.count("POST"), 0);
    }
  });
});

describe("a content security policy", () => {
  const policy = (extra = "") =>
    `default-src 'none'; script-src 'nonce-abc'; connect-src ${widget.server.url}; require-trusted-types-for 'script'; base-uri 'none'; style-src 'self'${extra}`;

  for (const [name, extra] of [
    ["with nonces, no inline style and Trusted Types", ""],
    ["that names the allowed Trusted Types policy", "; trusted-types clawless"],
  ]) {
    test(`${name} is not violated`, async () => {
      const tag = widget.tag('nonce="abc"');
      // The page itself has no inline style here.
      const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title><body><h1>x</h1>
        <script nonce="abc">window.violations = []; addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective + " " + event.blockedURI));</script>${tag}</body></html>`;
      const page = await visit(html, { headers: { "content-security-policy": policy(extra) } });
      const messages = [];
      page.on("console", (message) => messages.push(message.text()));
      widget.server.state.script.push(
        reply("# Hi\n\n```js\nx\n```\n\n![a](https://example.com/a.png) [b](https://example.com)"),
      );
      await page.chat("hi");
      await page.answered("Hi");
      await page.evaluate(() =>
        document.querySelector("clawless-chat").setTheme({ preset: "dark", css: ".panel{border-radius:4px}" }),
      );
      assert.equal(await page.panel.evaluate((panel) => getComputedStyle(panel).borderRadius), "4px");
      assert.deepEqual(await page.evaluate(() => window.violations), []);
      assert.deepEqual(
        messages.filter((text) => /policy|trusted/i.test(text)),
        [],
      );
      assert.deepEqual(page.problems, []);
    });
  }

  const visitUnderTypes = (tags) =>
    visit(`<!doctype html><html lang="en"><meta charset="utf-8"><title>x</title><body>${tags}`, {
      headers: { "content-security-policy": policy("; trusted-types clawless") },
    });

  test("that names the policy allows a second attempt to load the app", async () => {
    const page = await visitUnderTypes(widget.tag('nonce="abc"'));
    await page.launcher.waitFor();
    widget.server.state.isDown = true;
    await page.launcher.click();
    await page.locator("clawless-chat .failure").getByText("not available").waitFor();
    widget.server.state.isDown = false;
    await page.launcher.click();
    await page.panel.waitFor();
    assert.deepEqual(page.problems, []);
  });

  test("that names the policy allows two widgets", async () => {
    const other = widget.tag('nonce="abc" data-position="left"').replace(KEY, OTHER_KEY);
    const page = await visitUnderTypes(widget.tag('nonce="abc"') + other);
    await page.waitForFunction(() => document.querySelectorAll("clawless-chat").length === 2);
    for (const index of [1, 0]) {
      await page.launcher.nth(index).click();
      await page.panel.nth(index).waitFor();
    }
    assert.deepEqual(page.problems, []);
  });

  test("no element of the widget has a style attribute", async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.chat("hi");
    await page.answered("How can I help?");
    const styled = await page.evaluate(
      () => document.querySelector("clawless-chat").shadowRoot.querySelectorAll("[style],style").length,
    );
    assert.equal(styled, 0);
  });
});

describe("a failing host", () => {
  test("that is down when the page loads leaves the page alone", async () => {
    widget.server.state.isDown = true;
    const page = await visit(shopPage(widget.tag()));
    await page.locator("#page-button").click();
    assert.equal(await page.locator("clawless-chat").count(), 0);
    assert.deepEqual(page.problems, []);
  });

  test("that fails later is reported when the launcher is used, and a later click works", async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.launcher.waitFor();
    widget.server.state.isDown = true;
    await page.launcher.hover();
    assert.equal(await page.locator("clawless-chat .failure").textContent(), "");
    await page.launcher.click();
    await page.locator("clawless-chat .failure").getByText("not available").waitFor();
    widget.server.state.isDown = false;
    await page.launcher.click();
    await page.panel.waitFor();
    assert.equal(await page.locator("clawless-chat .failure").textContent(), "");
    assert.deepEqual(page.problems, []);
  });

  test("that delivers a changed app is refused by the integrity hash", async () => {
    widget.server.state.tamper = (name, file) => (name.endsWith("app.js") ? `${file};window.tampered = true` : file);
    const page = await visit(shopPage(widget.tag()));
    await page.launcher.click();
    await page.locator("clawless-chat .failure").getByText("not available").waitFor();
    assert.equal(await page.evaluate(() => window.tampered), undefined);
  });

  test("a secret key is refused before any request", async () => {
    const messages = [];
    const page = await context.newPage();
    page.on("console", (message) => messages.push(message.text()));
    await page.goto(widget.site.page(shopPage(widget.tag().replace(KEY, "cl_sk_secret"))));
    await page.waitForLoadState("networkidle");
    assert.equal(await page.locator("clawless-chat").count(), 0);
    assert.deepEqual(widget.server.state.requests, ["GET /widget/v1/loader.js"]);
    assert.match(messages.join(), /public key/);
    assert.ok(!messages.join().includes("cl_sk_secret"));
  });
});

describe("surroundings", () => {
  test("hostile styles of the page do not reach the widget", async () => {
    const head = `<style>* { all: unset !important; display: block !important; color: red !important; font-size: 50px !important; visibility: hidden !important; position: static !important; opacity: 0 !important }
      clawless-chat { display: none !important; pointer-events: none !important }
      button, textarea, dialog, p, h2 { background: lime !important; border: 9px solid red !important; transform: rotate(45deg) !important }</style>`;
    const page = await visit(shopPage(widget.tag(), { head }));
    await page.chat("hi");
    await page.answered("How can I help?");
    const looks = await page.answers
      .last()
      .locator(".body")
      .evaluate((body) => {
        const { color, fontSize, visibility } = getComputedStyle(body);
        return { color, fontSize, visibility };
      });
    assert.deepEqual(looks, { color: "rgb(24, 24, 29)", fontSize: "15px", visibility: "visible" });
  });

  test("works in an iframe of another origin", async () => {
    const inner = widget.site.page(shopPage(widget.tag()));
    const page = await visit(
      `<!doctype html><title>x</title><iframe src="${inner}" width="600" height="600"></iframe>`,
    );
    const frame = page.frameLocator("iframe");
    await frame.locator("clawless-chat .launcher").click();
    await frame.locator("clawless-chat textarea").fill("hi");
    await frame.locator("clawless-chat textarea").press("Enter");
    await frame.locator("clawless-chat .assistant .again").waitFor();
  });

  test("several widgets of different keys, each with its own conversation", async () => {
    const page = await visit(shopPage(`${widget.tag()}${widget.tag('data-position="left"').replace(KEY, OTHER_KEY)}`));
    const panels = page.locator("clawless-chat dialog");
    const launchers = page.locator("clawless-chat .launcher");
    await page.waitForFunction(() => document.querySelectorAll("clawless-chat").length === 2);
    await launchers.nth(0).click();
    await launchers.nth(1).click();
    await panels.nth(0).waitFor();
    await panels.nth(1).waitFor();
    const boxes = [await launchers.nth(0).boundingBox(), await launchers.nth(1).boundingBox()];
    assert.ok(Math.abs(boxes[0].x - boxes[1].x) > 400);
    assert.equal(widget.server.count(`GET /widget/v${widget.version}/app.js`), 1);
    assert.deepEqual(page.problems, []);
  });

  test("a navigation of a single-page application keeps the conversation", async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.chat("hi");
    await page.answered("How can I help?");
    await page.evaluate(() => {
      history.pushState({}, "", "/other");
      document.querySelector("main").replaceChildren("Another page");
    });
    assert.ok(await page.panel.isVisible());
    // Some frameworks replace the body: the element is moved, and starts again.
    await page.evaluate(() => {
      const host = document.querySelector("clawless-chat");
      const body = document.createElement("body");
      document.body.replaceWith(body);
      body.append(host);
    });
    await page.panel.getByText("Hello! How can I help?").waitFor();
    await page.chat("again");
    await page.answered("How can I help?");
    assert.equal(widget.server.state.sessions.size, 1);
    assert.deepEqual(page.problems, []);
  });

  test("the back/forward cache keeps the page, and an interrupted answer is completed", async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.chat("hi");
    await page.answered("How can I help?");
    widget.server.state.script.push(reply(["One ", "two ", "three"], { gap: 300 }));
    await page.chat("count");
    await page.answers.last().getByText("One").waitFor();
    await page.evaluate(() => {
      window.marker = true;
      addEventListener("pageshow", (event) => {
        window.persisted = event.persisted;
      });
    });
    await page.goto(widget.site.page("<!doctype html><title>elsewhere</title>elsewhere"));
    await page.goBack({ waitUntil: "commit" });
    await page.answered("One two three");
    const cached = await page.evaluate(() => ({ marker: window.marker, persisted: window.persisted }));
    assert.deepEqual(cached, { marker: true, persisted: true });
    assert.equal(await page.answers.count(), 2);
    assert.equal(widget.server.state.calls, 2);
  });

  test("on a small screen the panel is modal, fills the screen and keeps clear of the keyboard", async () => {
    await context.close();
    context = await widget.browser.newContext({
      viewport: { width: 320, height: 640 },
      isMobile: true,
      hasTouch: true,
    });
    const page = await visit(shopPage(widget.tag()));
    await page.chat("hi");
    await page.answered("How can I help?");
    assert.ok(await page.panel.evaluate((panel) => panel.matches(":modal")));
    await page.panel.evaluate((panel) => Promise.all(panel.getAnimations().map(({ finished }) => finished)));
    const box = await page.panel.boundingBox();
    assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 320, 640]);
    // Tab stays in the panel.
    for (let count = 0; count < 15; count++) {
      await page.keyboard.press("Tab");
      const place = await page.evaluate(() => [
        document.activeElement?.localName,
        document.activeElement?.shadowRoot?.activeElement?.className,
      ]);
      assert.ok(place[0] === "clawless-chat" || place[0] === "body", `${place}`);
      assert.notEqual(place[1], "launcher");
    }
    // A virtual keyboard makes the visual viewport smaller.
    const height = await page.evaluate(async () => {
      Object.defineProperty(visualViewport, "height", { value: 300, configurable: true });
      visualViewport.dispatchEvent(new Event("resize"));
      return document.querySelector("clawless-chat").shadowRoot.querySelector("dialog").getBoundingClientRect().height;
    });
    assert.equal(height, 300);
    await page.locator("clawless-chat [aria-label='Close chat']").last().click();
    await page.panel.waitFor({ state: "hidden" });
  });

  test("a narrow screen has no horizontal overflow", async () => {
    await context.close();
    context = await widget.browser.newContext({ viewport: { width: 320, height: 568 }, isMobile: true });
    const page = await visit(shopPage(widget.tag()));
    widget.server.state.script.push(
      reply(
        `${"x".repeat(400)}\n\n| ${"a | ".repeat(30)}\n|${"---|".repeat(30)}\n\n\`\`\`\n${"y".repeat(400)}\n\`\`\``,
      ),
    );
    await page.chat("w".repeat(300));
    await page.answered("xxx");
    const [content, log] = await page.evaluate(() => {
      const root = document.querySelector("clawless-chat").shadowRoot;
      return [root.querySelector(".content").getBoundingClientRect().width, root.querySelector(".log").clientWidth];
    });
    assert.ok(content <= log, `${content} > ${log}`);
  });
});

describe("announcements", () => {
  test("of an answer: that it comes, a reminder, and its plain text once", { timeout: 60_000 }, async () => {
    const page = await visit(shopPage(widget.tag()));
    await page.chat();
    await page.evaluate(() => {
      window.said = [];
      const root = document.querySelector("clawless-chat").shadowRoot;
      for (const role of ["status", "alert"]) {
        const region = root.querySelector(`dialog [role=${role}]`);
        new MutationObserver(() => region.textContent && said.push(`${role}: ${region.textContent.trim()}`)).observe(
          region,
          {
            childList: true,
            characterData: true,
            subtree: true,
          },
        );
      }
      window.live = root.querySelector("[role=log]").getAttribute("aria-live");
    });
    widget.server.state.script.push(reply(["It is ", "**done**", "."], { before: 15_000, gap: 50 }));
    page.setDefaultTimeout(30_000);
    await page.chat("hi");
    await page.answered("It is done");
    await page.waitForTimeout(100);
    assert.deepEqual(await page.evaluate(() => window.said), [
      "status: Answering…",
      "status: Answering…",
      "status: Answering…",
      "status: It is done.",
    ]);
    assert.equal(await page.evaluate(() => window.live), "off");

    await page.evaluate(() => said.splice(0));
    widget.server.state.script.push(reply("Half", { error: "upstream_error" }));
    await page.chat("again");
    await page.answers.last().getByText("interrupted").waitFor();
    await page.waitForTimeout(100);
    assert.deepEqual(await page.evaluate(() => window.said), [
      "status: Answering…",
      "alert: The answer was interrupted.",
    ]);
  });
});

describe("the announcement of a long answer", () => {
  test("has all of its text, a line for each block, also what is not visible", async () => {
    const page = await visit(shopPage(widget.tag()));
    const blocks = Array.from({ length: 60 }, (_, at) => `Paragraph **${at}**.\n\n`);
    widget.server.state.script.push(reply([...blocks, "- a\n- b\n\n| c | d |\n|---|---|\n\n```sh\nls\n```"]));
    await page.chat("hi");
    await page.answered("Paragraph 59");
    const said = await page.locator("clawless-chat dialog [role=status]").textContent();
    const expected = [...blocks.map((block) => block.replaceAll("*", "").trim()), "a", "b", "c", "d", "sh", "ls"];
    assert.deepEqual(said.trim().split(/\s*\n\s*/), expected);
  });
});

describe("languages", () => {
  test("cost no request of their own, and neither does a small logo", async () => {
    widget.server.state.settings = { logo_url: `data:image/png;base64,${PNG}` };
    const page = await visit(shopPage(widget.tag(), { lang: "DE" }));
    await page.launcher.click();
    await page.panel.waitFor();
    assert.equal(await page.panel.getAttribute("lang"), "de", "the panel is never English");
    await page.chat("hallo");
    await page.answered("How can I help?");
    await page.locator("clawless-chat .logo img").waitFor();
    assert.deepEqual(widget.server.state.requests, [
      "GET /widget/v1/loader.js",
      `GET /widget/v${widget.version}/app.js`,
      "POST /v1/widget/session",
      "POST /v1/chat/completions",
    ]);
    assert.deepEqual(page.problems, []);
  });

  test("follow the page and can be switched", async () => {
    const page = await visit(shopPage(widget.tag(), { lang: "de-CH" }));
    await page.chat("hallo");
    await page.answered("How can I help?");
    assert.equal(await page.input.getAttribute("placeholder"), "Nachricht schreiben …");
    assert.equal(widget.server.count("GET /widget/v1.0.0/locales/"), 0);
    await page.evaluate(() => {
      document.querySelector("clawless-chat").dataset.lang = "ar";
    });
    await page.locator("clawless-chat .layout[dir=rtl]").waitFor();
    await page.panel.getByText("hallo").waitFor();
    assert.equal(await page.input.getAttribute("placeholder"), "اكتب رسالة…");
    await page.chat("hi");
    await page.answered("How can I help?");
    assert.deepEqual(page.problems, []);
  });

  test("that the key does not list give way to the first that it lists", async () => {
    widget.server.state.settings = { title: "Acme", languages: ["de", "en"] };
    const page = await visit(shopPage(widget.tag(), { lang: "fr" }));
    await page.chat("hallo");
    await page.answered("How can I help?");
    assert.equal(await page.input.getAttribute("placeholder"), "Nachricht schreiben …");
    assert.equal(await page.locator("clawless-chat .user").count(), 1);
    assert.equal(widget.server.state.sessions.size, 1, "the conversation is the same");
    assert.equal(widget.server.count("POST /v1/widget/session"), 2);
    assert.deepEqual(page.problems, []);
  });

  test("that arrive late keep what the visitor types and the key's title", async () => {
    widget.server.state.settings = { title: "Acme", languages: ["de", "en"] };
    const { promise: held, resolve: release } = Promise.withResolvers();
    const page = await visit(shopPage(widget.tag(), { lang: "de" }));
    await page.chat();
    await page.panel.getByText("Acme").waitFor();
    await page.input.pressSequentially("hal");
    widget.server.state.translate = async (language, strings) => {
      if (language === "fr") await held;
      return strings;
    };
    widget.server.state.settings = { title: "Acme", languages: ["de", "fr"] };
    await page.evaluate(() => {
      document.querySelector("clawless-chat").dataset.lang = "fr";
      const { shadowRoot } = document.querySelector("clawless-chat");
      window.titles = [shadowRoot.querySelector("h2").textContent];
      new MutationObserver(() => window.titles.push(shadowRoot.querySelector("h2")?.textContent)).observe(shadowRoot, {
        childList: true,
      });
    });
    release();
    await page.panel.and(page.locator("[lang=fr]")).waitFor();
    await page.keyboard.type("lo");
    assert.equal(await page.input.inputValue(), "hallo");
    assert.deepEqual(new Set(await page.evaluate(() => window.titles)), new Set(["Acme"]));
    await page.input.press("Enter");
    await page.questions.getByText("hallo").waitFor();
    await page.answered("How can I help?");
    assert.deepEqual(page.problems, []);
  });

  test("that only the key has change nothing", async () => {
    widget.server.state.settings = { languages: ["xx"] };
    const page = await visit(shopPage(widget.tag(), { lang: "fr" }));
    await page.chat("hi");
    await page.answered("How can I help?");
    assert.equal(await page.input.getAttribute("placeholder"), "Écrivez un message…");
    assert.equal(widget.server.count("POST /v1/widget/session"), 2, "no loop");
    assert.deepEqual(page.problems, []);
  });

  test("that the server does not have are English", async () => {
    widget.server.state.translate = () => undefined;
    const page = await visit(shopPage(widget.tag('data-lang="de"')));
    await page.chat("hi");
    await page.answered("How can I help?");
    assert.equal(await page.input.getAttribute("placeholder"), "Write a message…");
  });
});
