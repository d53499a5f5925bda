// What a page, a browser or a server can do to the widget: tags that come and go, blocked storage, hosts that hang.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { KEY, OTHER_KEY, refusal, reply } from "./harness/server.mjs";
import { shopPage, startSite } from "./harness/site.mjs";

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

const CHAT = "POST /v1/chat/completions";
const visit = (html, options) => openPage(context, widget.site.page(html, options));
const open = (attributes, options) => visit(shopPage(widget.tag(attributes), options));
const token = (sub) => `x.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}.y`;

/** Adds the tag of a key once more. */
const insertTag = (page, key = KEY, position = "right") =>
  page.evaluate(
    ([src, key, position]) => {
      const script = document.createElement("script");
      Object.assign(script, { src, async: true });
      Object.assign(script.dataset, { key, position });
      document.body.append(script);
    },
    [`${widget.server.url}/widget/v1/loader.js`, key, position],
  );

async function answers(page) {
  await page.chat("hi");
  await page.answered("How can I help?");
  assert.deepEqual(page.problems, []);
}

describe("a tag", () => {
  test("that is added after destroy() starts the widget again", async () => {
    const page = await open();
    await answers(page);
    await page.evaluate(() => Clawless.destroy());
    assert.equal(await page.locator("clawless-chat, script[src*=widget]").count(), 0, "nothing is left");
    await insertTag(page);
    await page.launcher.waitFor();
    await page.chat();
    await page.answered("How can I help?");
  });

  test("of another key that is added after the app has its launcher, and one of the same key has none", async () => {
    const page = await open();
    await answers(page);
    await insertTag(page, OTHER_KEY, "left");
    await page.launcher.nth(1).click();
    await page.panel.nth(1).waitFor();
    await insertTag(page);
    await page.waitForTimeout(300);
    assert.equal(await page.locator("clawless-chat").count(), 2);
    assert.equal(widget.server.count(`GET /widget/v${widget.version}/app.js`), 1);
    assert.deepEqual(page.problems, []);
  });

  test("that a page has twice is one widget", async () => {
    const page = await visit(shopPage(widget.tag() + widget.tag()));
    await page.launcher.waitFor();
    await page.waitForLoadState("networkidle");
    assert.equal(await page.locator("clawless-chat").count(), 1);
    await answers(page);
  });

  test("whose body is replaced, as Turbo does, is one widget with its conversation", async () => {
    const page = await open();
    await answers(page);
    await page.evaluate(() => document.documentElement.replaceChild(document.createElement("body"), document.body));
    await insertTag(page);
    await page.waitForTimeout(300);
    assert.equal(await page.locator("clawless-chat").count(), 1);
    await page.chat("again");
    await page.questions.nth(1).waitFor();
    assert.equal(widget.server.state.sessions.size, 1);
  });

  test("of a module works", async () => {
    const page = await visit(shopPage(widget.tag('type="module" crossorigin').replace("async ", "")));
    await answers(page);
  });

  test("beside an element with the id Clawless sets the global", async () => {
    const page = await open("", { body: '<div id="Clawless"></div>' });
    await page.launcher.waitFor();
    assert.equal(await page.evaluate(() => Clawless.localName), "clawless-chat");
    await answers(page);
  });

  test("with odd attributes works", async () => {
    const page = await open(`data-api="${widget.server.url}/" data-theme="constructor" data-lang="DE"`);
    await answers(page);
    assert.equal(await page.panel.getAttribute("lang"), "de");
  });

  test("in a body that is transformed stays in the corner of the window, with its own colours", async () => {
    const head = `<style>body { transform: translateX(10px); filter: grayscale(0) } * { --text: red; --accent: lime }</style>`;
    const page = await open("", { head });
    await answers(page);
    await page.mouse.move(0, 0);
    await page.waitForTimeout(400);
    const box = await page.launcher.boundingBox();
    assert.deepEqual([box.x + box.width, box.y + box.height], [880, 680]);
    const colour = await page.panel.evaluate((panel) => getComputedStyle(panel).color);
    assert.equal(colour, "rgb(24, 24, 29)");
    assert.equal(await page.send.evaluate((send) => getComputedStyle(send).backgroundColor), "rgb(87, 70, 224)");
  });

  test("whose app comes after the report of a failure removes the report", async () => {
    const { promise: held, resolve: release } = Promise.withResolvers();
    widget.server.state.tamper = async (name, file) => {
      if (name.endsWith("app.js")) await held;
      return file;
    };
    const page = await open();
    await page.launcher.click();
    await page.locator("clawless-chat .failure").getByText("not available").waitFor();
    release();
    await page.panel.waitFor();
    assert.equal(await page.locator("clawless-chat .failure").textContent(), "");
  });
});

describe("the npm package", () => {
  test("starts when it gets its key, and sets the global", async () => {
    const code = await readFile(path.join(widget.folder, "../../npm/index.js"), "utf8");
    const page = await visit(`<!doctype html><html lang="en"><title>x</title><body>
      <clawless-chat data-api="${widget.server.url}"></clawless-chat><script type="module">${code}</script>`);
    await page.waitForFunction(() => customElements.get("clawless-chat"));
    assert.equal(await page.launcher.count(), 0);
    await page.evaluate((key) => {
      document.querySelector("clawless-chat").dataset.key = key;
    }, KEY);
    await answers(page);
    assert.ok(await page.evaluate(() => window.Clawless === document.querySelector("clawless-chat")));
  });
});

describe("a browser", () => {
  test("that blocks storage and locks has a chat in memory", async () => {
    const page = await context.newPage();
    await page.close();
    await context.addInitScript(() => {
      const refuse = () => {
        throw new DOMException("blocked", "SecurityError");
      };
      Object.defineProperty(window, "localStorage", { get: () => null });
      Storage.prototype.setItem = refuse;
      const blocked = new Proxy(sessionStorage, { set: refuse });
      Object.defineProperty(window, "sessionStorage", { get: () => blocked });
      LockManager.prototype.request = () => Promise.reject(new DOMException("blocked", "SecurityError"));
    });
    const blocked = await open();
    await answers(blocked);
    await blocked.chat("again");
    await blocked.questions.nth(1).waitFor();
    await blocked.keyboard.press("Escape");
    assert.deepEqual(blocked.problems, []);
  });

  test("with an input method gets its keys first", async () => {
    const page = await open();
    await page.chat();
    await page.input.fill("にほん");
    for (const [key, init] of [
      ["Enter", { isComposing: true }],
      ["Enter", { keyCode: 229 }],
      ["Escape", { keyCode: 229 }],
    ]) {
      await page.input.evaluate(
        (input, [key, init]) =>
          input.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true, ...init })),
        [key, init],
      );
    }
    assert.ok(await page.panel.isVisible());
    assert.equal(await page.questions.count(), 0);
    assert.equal(await page.input.inputValue(), "にほん");
  });

  test("that wants less motion sees none", async () => {
    const page = await open();
    await page.emulateMedia({ reducedMotion: "reduce" });
    widget.server.state.script.push(reply("x", { before: 1000 }));
    await page.chat("hi");
    await page.answers.last().waitFor();
    const running = await page.evaluate(
      () => document.querySelector("clawless-chat").shadowRoot.getAnimations().length,
    );
    assert.equal(running, 0);
  });

  test("without a clipboard copies too", async () => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await open();
    await answers(page);
    await page.evaluate(() => {
      window.clipboard = navigator.clipboard;
      Object.defineProperty(navigator, "clipboard", { get: () => undefined });
    });
    await page.answers.last().locator(".foot").getByText("Copy", { exact: true }).click();
    assert.equal(await page.evaluate(() => window.clipboard.readText()), "Hello! How can I help?");
  });

  test("that pastes a long text sends what fits", async () => {
    const page = await open();
    await page.chat();
    await page.input.focus();
    await page.keyboard.insertText("x".repeat(30_000));
    assert.equal((await page.input.inputValue()).length, 20_000);
    await page.input.press("Enter");
    await page.answered("How can I help?");
  });
});

describe("a frame", () => {
  test("of another origin works, and so does a sandboxed one with its origin", async () => {
    const other = await startSite();
    try {
      widget.server.state.origins.add(other.url.replace("localhost", "127.0.0.1"));
      const inner = other.page(shopPage(widget.tag())).replace("localhost", "127.0.0.1");
      for (const sandbox of ["", 'sandbox="allow-scripts allow-same-origin"']) {
        const page = await visit(`<!doctype html><iframe ${sandbox} src="${inner}" width="600" height="600"></iframe>`);
        const frame = page.frameLocator("iframe");
        await frame.locator("clawless-chat .launcher").click();
        await frame.locator("clawless-chat textarea").fill("hi");
        await frame.locator("clawless-chat textarea").press("Enter");
        await frame.locator("clawless-chat .assistant .again").last().waitFor();
        assert.deepEqual(page.problems, []);
      }
    } finally {
      await other.stop();
    }
  });

  test("without an origin says that the server cannot be reached", async () => {
    const inner = widget.site.page(shopPage(widget.tag()));
    const page = await visit(
      `<!doctype html><iframe sandbox="allow-scripts" src="${inner}" width="600" height="600"></iframe>`,
    );
    const frame = page.frameLocator("iframe");
    await frame.locator("clawless-chat .launcher").click();
    await frame
      .locator("clawless-chat .notice")
      .first()
      .getByText(/cannot be reached/)
      .waitFor();
    assert.deepEqual(page.problems, []);
  });
});

describe("a user", () => {
  for (const [name, source] of [
    ["that is no promise", `() => "${token("ada")}"`],
    ["that is one", `async () => "${token("ada")}"`],
  ]) {
    test(`with a token ${name} is signed in`, async () => {
      const page = await open();
      await page.launcher.waitFor();
      await page.evaluate(`Clawless.setUser(${source})`);
      await answers(page);
      assert.equal(widget.server.state.bodies.at(-1).user_token, token("ada"));
    });
  }

  for (const [name, source] of [
    ["throws", `() => { throw new Error("no") }`],
    ["is rejected", `() => Promise.reject(new Error("no"))`],
    ["is rubbish", `() => ({ a: 1 })`],
    ["is no function", `"token"`],
  ]) {
    test(`whose token ${name} sees that chat is not available`, async () => {
      const page = await open();
      await page.launcher.waitFor();
      await page.evaluate(`Clawless.setUser(${source})`);
      await page.launcher.click();
      await page.notice.getByText("not available").waitFor();
      assert.deepEqual(page.problems, []);
      assert.equal(widget.server.count("POST"), 0);
    });
  }

  test("whose token never comes sees it too", { timeout: 60_000 }, async () => {
    const page = await open();
    await page.launcher.waitFor();
    await page.evaluate(() => Clawless.setUser(() => new Promise(() => {})));
    await page.launcher.click();
    await page.notice.getByText("not available").waitFor({ timeout: 40_000 });
    assert.deepEqual(page.problems, []);
  });

  test("finds the open panel after a reload", async () => {
    const script = `<script>addEventListener("DOMContentLoaded", () => (function sign() {
      if (Object.hasOwn(window, "Clawless")) Clawless.setUser(async () => "${token("ada")}"); else setTimeout(sign, 20);
    })())</script>`;
    const page = await open("", { head: script });
    await page.launcher.waitFor();
    await page.waitForTimeout(100);
    await answers(page);
    await page.reload();
    await page.panel.waitFor();
    await page.answered("How can I help?");
    // The panel of a user is not that of a visitor: the app is not loaded without being asked.
    widget.server.state.requests = [];
    await page.goto(widget.site.page(shopPage(widget.tag())));
    await page.launcher.waitFor();
    await page.waitForTimeout(300);
    assert.equal(widget.server.count(`GET /widget/v${widget.version}/app.js`), 0);
  });
});

describe("a server", () => {
  test("whose session hangs can be stopped waiting for", async () => {
    const page = await open();
    await answers(page);
    widget.server.state.tokens.clear();
    widget.server.state.hang = (request) => request.endsWith("/session");
    await page.chat("again");
    await page.waitForFunction(
      () => document.querySelector("clawless-chat").shadowRoot.querySelector(".send").ariaLabel === "Stop",
    );
    await page.send.click();
    await page.answers.last().getByText("stopped").waitFor();
    const { held } = await page.evaluate(() => navigator.locks.query());
    assert.deepEqual(
      held.filter(({ name }) => name.endsWith(":send")),
      [],
    );
    widget.server.state.hang = undefined;
  });

  test("whose answer was stopped is asked once, and the turn before stays", async () => {
    const page = await open();
    await answers(page);
    widget.server.state.script.push(reply(["One ", "two ", "three"], { gap: 300 }));
    // The same text as before.
    await page.chat("hi");
    await page.answers.last().getByText("One").waitFor();
    await page.send.click();
    await page.answers.last().getByText("stopped").waitFor();
    await page.answers.last().getByText("Try again").click();
    await page.answered("One two three");
    assert.equal(widget.server.state.calls, 2);
    assert.equal(await page.answers.count(), 2);
    const [session] = widget.server.state.sessions.values();
    assert.equal(session.messages.length, 4);
    assert.equal(widget.server.count("DELETE"), 0);
  });

  test("that has finished an answer meanwhile is not asked again after a reload", async () => {
    const page = await open();
    widget.server.state.script.push(reply(["One ", "two ", "three"], { gap: 200 }));
    await page.chat("count");
    await page.answers.last().getByText("One").waitFor();
    await page.goto(widget.site.page("<!doctype html><title>x</title>"));
    await page.waitForTimeout(800);
    const later = await open();
    await later.chat();
    await later.answered("One two three");
    await later.waitForTimeout(300);
    assert.equal(await later.questions.count(), 1);
    assert.equal(await later.answers.count(), 1);
    assert.equal(widget.server.count(CHAT), 1);
    assert.deepEqual(await later.evaluate(() => Object.keys(localStorage).filter((key) => key.includes("unsent"))), []);
  });

  test("that refuses a message does not lose it over a reload", async () => {
    const page = await open();
    widget.server.state.script.push(refusal(500, "internal_error"));
    await page.chat("precious");
    await page.answers.last().getByText("Something went wrong").waitFor();
    await page.reload();
    await page.questions.getByText("precious").waitFor();
    assert.equal(widget.server.count(CHAT), 1);
    await page.answers.last().getByText("Try again").click();
    await page.answered("How can I help?");
    assert.equal(await page.questions.count(), 1);
  });

  test("that refuses two messages can be asked again for each", async () => {
    const page = await open();
    for (const text of ["one", "two"]) {
      widget.server.state.script.push(refusal(500, "internal_error"));
      await page.chat(text);
      await page.questions.getByText(text).waitFor();
    }
    await page.answers.nth(1).getByText("Something went wrong").waitFor();
    await page.answers.nth(0).getByText("Try again").click();
    await page.answers.nth(0).getByText("How can I help?").waitFor();
    await page.answers.nth(1).getByText("Try again").click();
    await page.waitForFunction(
      () => document.querySelector("clawless-chat").shadowRoot.querySelectorAll(".problem").length === 0,
    );
    assert.deepEqual(
      widget.server.state.sessions
        .values()
        .next()
        .value.messages.filter(({ role }) => role === "user")
        .map(({ message }) => message.content),
      ["one", "two"],
    );
  });

  test("that is busy for long says until when", async () => {
    const page = await open();
    widget.server.state.script.push(refusal(503, "overloaded", { "retry-after": "7200" }));
    await page.chat("hi");
    await page.answers
      .last()
      .getByText(/Try again: \d/)
      .waitFor();
    assert.equal(widget.server.count(CHAT), 1);
    widget.server.state.script.push(
      refusal(503, "overloaded", { "retry-after": new Date(Date.now() + 2000).toUTCString() }),
    );
    await page.answers.last().getByText("Try again", { exact: true }).click();
    await page.answered("How can I help?");
    assert.equal(widget.server.count(CHAT), 3);
  });

  test("that cannot delete a turn leaves it, and the button works again", async () => {
    const page = await open();
    await answers(page);
    widget.server.state.refuse = (request) => request.startsWith("DELETE") && refusal(500, "internal_error");
    await page.answers.last().locator(".again").click();
    await page.notice.getByText("Something went wrong").waitFor();
    assert.equal(await page.answers.count(), 1);
    widget.server.state.refuse = undefined;
    await page.answers.last().locator(".again").click();
    await page.waitForFunction(
      () => document.querySelector("clawless-chat").shadowRoot.querySelectorAll(".again").length === 1,
    );
    await page.answered("How can I help?");
    const [session] = widget.server.state.sessions.values();
    assert.equal(session.messages.length, 2);
  });

  test("whose token expires while an answer arrives is asked for another one", async () => {
    const page = await open();
    widget.server.state.script.push(reply(["One ", "two ", "three"], { gap: 200, cutAfter: 2 }));
    await page.chat("count");
    await page.answers.last().getByText("One").waitFor();
    widget.server.state.tokens.clear();
    await page.answered("One two three");
    assert.equal(widget.server.count("POST /v1/widget/session"), 2);
    assert.equal(widget.server.state.calls, 1);
  });

  test("whose key is revoked says that chat is not available", async () => {
    const page = await open();
    await answers(page);
    widget.server.state.tokens.clear();
    widget.server.state.sessionScript = Array.from({ length: 4 }, () => refusal(401, "invalid_api_key"));
    await page.chat("again");
    await page.answers.last().getByText("not available").waitFor();
    assert.deepEqual(page.problems, []);
  });

  test("whose conversation was deleted elsewhere begins another one", async () => {
    const page = await open();
    await answers(page);
    widget.server.state.refuse = (request) => {
      widget.server.state.refuse = undefined;
      return request === CHAT && refusal(404, "resource_not_found");
    };
    widget.server.state.sessions.clear();
    await page.chat("again");
    await page.questions.nth(1).waitFor();
    await page.waitForFunction(
      () => document.querySelector("clawless-chat").shadowRoot.querySelectorAll(".again").length === 2,
    );
    assert.equal(widget.server.count("POST /v1/widget/session"), 2);
  });

  test("that answers with rubbish is a server that cannot be reached", async () => {
    const page = await open();
    widget.server.state.rubbish = true;
    await page.chat();
    await page.notice.getByText("cannot be reached").waitFor();
    assert.deepEqual(page.problems, []);
    widget.server.state.rubbish = false;
    await answers(page);
  });
});

describe("another tab", () => {
  test("learns that the conversation was deleted", async () => {
    const page = await open();
    await answers(page);
    const other = await open();
    await other.chat();
    await other.answered("How can I help?");
    await page.panel.locator("footer > .dim").getByText("Delete my data").click();
    await page.panel.getByText("Delete this conversation?").click();
    await page.notice.getByText("deleted").waitFor();
    await other.answers.waitFor({ state: "detached" });
    await other.chat("new");
    await other.answered("How can I help?");
    assert.deepEqual(await other.questions.allTextContents(), ["new"]);
    assert.equal(widget.server.count("POST /v1/widget/session"), 3);
  });

  test("a double click deletes nothing", async () => {
    const page = await open();
    await answers(page);
    await page.panel.locator("footer > .dim").getByText("Delete my data").dblclick();
    await page.panel.getByText("Delete this conversation?").waitFor();
    await page.waitForTimeout(200);
    assert.equal(await page.answers.count(), 1);
    assert.equal(widget.server.count("DELETE"), 0);
  });

  test("a deletion ends an answer, and says so", async () => {
    const page = await open();
    widget.server.state.script.push(
      reply(
        Array.from({ length: 20 }, (_, at) => `${at} `),
        { gap: 100 },
      ),
    );
    await page.chat("count");
    await page.answers.last().getByText("1").waitFor();
    await page.panel.locator("footer > .dim").getByText("Delete my data").click();
    await page.panel.getByText("Delete this conversation?").click();
    await page.notice.getByText("deleted").waitFor();
    await page.waitForTimeout(300);
    assert.ok(await page.notice.isVisible());
    assert.equal(await page.locator("clawless-chat .list > *").count(), 0);
  });
});

test("close() of the page leaves the focus where it is", async () => {
  const page = await open();
  await page.chat();
  await page.locator("#page-button").focus();
  await page.evaluate(() => Clawless.close());
  await page.panel.waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "page-button");
});
