// The JavaScript API of a page.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { shopPage } from "./harness/site.mjs";

let widget;
let context;
let page;
before(async () => {
  widget = await startBrowser();
});
after(() => widget.stop());
beforeEach(async () => {
  widget.server.reset();
  await context?.close();
  context = await widget.browser.newContext();
  page = await openPage(context, widget.site.page(shopPage(widget.tag())));
  await page.launcher.waitFor();
});

test("calls before the app is loaded are queued in order, and load it only if needed", async () => {
  await page.evaluate(() => {
    window.events = [];
    for (const name of ["ready", "open", "close", "send", "message", "error", "reset"]) {
      Clawless.on(name, (event) => events.push(`${name} ${JSON.stringify(event.detail ?? null)}`));
    }
    Clawless.setTheme("dark");
  });
  await page.waitForTimeout(100);
  assert.deepEqual(widget.server.state.requests, ["GET /widget/v1/loader.js"]);
  await page.evaluate(() => {
    Clawless.open();
    Clawless.send("hi");
  });
  await page.answered("How can I help?");
  assert.deepEqual(await page.evaluate(() => window.events), [
    "open null",
    'send {"text":"hi"}',
    'message {"role":"user","text":"hi"}',
    "ready null",
    'message {"role":"assistant","text":"Hello! How can I help?"}',
  ]);
  assert.equal(await page.panel.evaluate((panel) => getComputedStyle(panel).backgroundColor), "rgb(23, 23, 28)");
});

test("open, close and toggle", async () => {
  await page.evaluate(() => Clawless.toggle());
  await page.panel.waitFor();
  await page.evaluate(() => Clawless.toggle());
  await page.panel.waitFor({ state: "hidden" });
  await page.evaluate(() => Clawless.open());
  await page.panel.waitFor();
  await page.evaluate(() => Clawless.close());
  await page.panel.waitFor({ state: "hidden" });
});

test("send can be cancelled and changed by a handler, and off removes it", async () => {
  await page.evaluate(() => {
    window.cancel = (event) => event.preventDefault();
    Clawless.on("send", window.cancel);
    Clawless.open();
    Clawless.send("never");
  });
  await page.panel.waitFor();
  await page.chat("typed");
  assert.equal(await page.questions.count(), 0);
  await page.evaluate(() => {
    Clawless.off("send", window.cancel);
    Clawless.on("send", (event) => {
      event.detail.text += "!";
    });
    Clawless.send("now");
  });
  await page.answered("How can I help?");
  assert.deepEqual(await page.questions.allTextContents(), ["now!"]);
});

test("setTheme takes a preset, colours and own rules", async () => {
  await page.chat();
  await page.evaluate(() =>
    Clawless.setTheme({ preset: "paper", colours: { accent: "#123456" }, css: ".panel { border-radius: 3px }" }),
  );
  const looks = await page.panel.evaluate((panel) => {
    const { backgroundColor, borderRadius } = getComputedStyle(panel);
    return { backgroundColor, borderRadius };
  });
  assert.deepEqual(looks, { backgroundColor: "rgb(252, 249, 243)", borderRadius: "3px" });
  assert.equal(await page.send.evaluate((send) => getComputedStyle(send).backgroundColor), "rgb(18, 52, 86)");
});

test("::part styles the widget from the page", async () => {
  await page.addStyleTag({
    content: "clawless-chat::part(panel) { border-radius: 7px } clawless-chat::part(launcher) { border-radius: 9px }",
  });
  await page.chat();
  assert.equal(await page.panel.evaluate((panel) => getComputedStyle(panel).borderRadius), "7px");
  assert.equal(await page.launcher.evaluate((launcher) => getComputedStyle(launcher).borderRadius), "9px");
});

test("setUser identifies the user with a token of the site, and separates conversations", async () => {
  await page.chat("as a visitor");
  await page.answered("How can I help?");
  const token = (sub) => `x.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}.y`;
  await page.evaluate((token) => Clawless.setUser(async () => token), token("ada"));
  await page.answers.waitFor({ state: "detached" });
  await page.chat("as Ada");
  await page.answered("How can I help?");
  assert.equal(widget.server.state.bodies.at(-1).user_token, token("ada"));
  assert.deepEqual(await page.questions.allTextContents(), ["as Ada"]);
  await page.evaluate(() => Clawless.setUser(null));
  await page.panel.getByText("as a visitor").waitFor();
  assert.equal(widget.server.state.bodies.at(-1).user_token, undefined);
  assert.equal(await page.panel.getByText("as Ada").count(), 0);
});

test("setUser and another language while the widget starts are not lost", async () => {
  const { promise: held, resolve: release } = Promise.withResolvers();
  widget.server.state.translate = async (language, strings) => {
    if (language === "fr") await held;
    return strings;
  };
  const started = await openPage(context, widget.site.page(shopPage(widget.tag(), { lang: "fr" })));
  const session = started.waitForRequest((request) => request.url().endsWith("/session"));
  await started.launcher.click();
  await session;
  const token = `x.${Buffer.from('{"sub":"ada"}').toString("base64url")}.y`;
  await started.evaluate((token) => {
    Clawless.setUser(async () => token);
    Clawless.dataset.lang = "de";
  }, token);
  await started.panel.and(started.locator("[lang=de]")).waitFor();
  release();
  await started.chat("hi");
  await started.answered("How can I help?");
  assert.equal(await started.panel.getAttribute("lang"), "de");
  assert.equal(widget.server.state.bodies.at(-1).user_token, token);
  await started.close();
});

test("setUser drops what the last user has typed, and keeps the focus", async () => {
  await page.chat();
  await page.input.fill("a secret");
  await page.evaluate(() => Clawless.setUser(async () => `x.${btoa('{"sub":"bob"}')}.y`));
  await page.waitForFunction(
    () => !document.querySelector("clawless-chat").shadowRoot.querySelector("textarea").readOnly,
  );
  await page.keyboard.type("hi");
  assert.equal(await page.input.inputValue(), "hi");
});

test("reset leaves the conversation, which stays on the server", async () => {
  await page.chat("one");
  await page.answered("How can I help?");
  await page.evaluate(() => Clawless.reset());
  assert.equal(await page.answers.count(), 0);
  await page.chat("two");
  await page.answered("How can I help?");
  assert.equal(await page.questions.count(), 1);
  assert.equal(widget.server.count("DELETE"), 0);
  const [first, second] = [...widget.server.state.sessions.values()].slice(-2);
  assert.notEqual(first.id, second.id);
  assert.equal(first.messages.length, 2);
});

test("a new answer while the panel is closed shows on the launcher", async () => {
  await page.chat();
  await page.keyboard.press("Escape");
  await page.panel.waitFor({ state: "hidden" });
  await page.evaluate(() => Clawless.send("hi"));
  await page.locator("clawless-chat .launcher.unread").waitFor();
  assert.equal(await page.launcher.getAttribute("aria-label"), "Open chat (1)");
  await page.launcher.click();
  await page.answered("How can I help?");
  assert.equal(await page.locator("clawless-chat .launcher.unread").count(), 0);
});

test("destroy leaves nothing behind: no element, listener, timer, lock or global", async () => {
  for (const isLoaded of [false, true]) {
    const fresh = await context.newPage();
    await fresh.addInitScript(() => {
      window.kept = new Set();
      for (const target of [window, visualViewport, EventTarget.prototype]) {
        const { addEventListener, removeEventListener } = target;
        if (!Object.hasOwn(target, "addEventListener") && target !== EventTarget.prototype) continue;
        target.addEventListener = function (name, handler, options) {
          if (this === window || this === document || this === visualViewport || this instanceof MediaQueryList) {
            const entry = `${name} ${window.kept.size}`;
            window.kept.add(entry);
            options?.signal?.addEventListener("abort", () => window.kept.delete(entry));
          }
          return addEventListener.call(this, name, handler, options);
        };
        target.removeEventListener = removeEventListener;
      }
    });
    await fresh.goto(page.url());
    await fresh.locator("clawless-chat .launcher").waitFor();
    if (isLoaded) {
      await fresh.locator("clawless-chat .launcher").click();
      await fresh.locator("clawless-chat textarea").fill("hi");
      await fresh.locator("clawless-chat textarea").press("Enter");
      await fresh.locator("clawless-chat .assistant").waitFor();
    }
    const before = await fresh.evaluate(() => window.kept.size);
    if (isLoaded) assert.ok(before > 3, `${before}`);
    const left = await fresh.evaluate(async () => {
      Clawless.destroy();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const { held, pending } = await navigator.locks.query();
      return {
        elements: document.querySelectorAll("clawless-chat").length,
        global: "Clawless" in window,
        locks: held.length + pending.length,
        listeners: [...window.kept].filter((name) => !name.startsWith("DOMContentLoaded")),
      };
    });
    assert.deepEqual(left, { elements: 0, global: false, locks: 0, listeners: [] });
    await fresh.close();
  }
});
