// Conversations in a real browser: send, stream, stop, repeat, resume, offline, two tabs.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { refusal, reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";

let widget;
let url;
let context;
before(async () => {
  widget = await startBrowser();
  url = widget.site.page(shopPage(widget.tag()));
});
after(() => widget.stop());
beforeEach(async () => {
  widget.server.reset();
  await context?.close();
  context = await widget.browser.newContext();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
});

const CHAT = "POST /v1/chat/completions";

describe("opening", () => {
  test("by mouse: the panel opens, and the text area has the focus", async () => {
    const page = await openPage(context, url);
    await page.launcher.click();
    await page.panel.waitFor();
    assert.equal(await page.launcher.getAttribute("aria-expanded"), "true");
    assert.ok(await page.input.evaluate((input) => input.getRootNode().activeElement === input));
  });

  test("by keyboard: Enter opens, Escape closes and returns the focus", async () => {
    const page = await openPage(context, url);
    await page.launcher.focus();
    await page.keyboard.press("Enter");
    await page.panel.waitFor();
    await page.keyboard.type("hello");
    assert.equal(await page.input.inputValue(), "hello");
    await page.keyboard.press("Escape");
    await page.panel.waitFor({ state: "hidden" });
    assert.ok(await page.launcher.evaluate((button) => button.getRootNode().activeElement === button));
    assert.equal(await page.launcher.getAttribute("aria-expanded"), "false");
  });

  test("shows the settings of the key", async () => {
    widget.server.state.settings = {
      title: "Acme",
      welcome: "Welcome to Acme",
      placeholder: "Ask Acme",
      starter_prompts: ["Where is my order?"],
      colours: { accent: "#0b6a94" },
    };
    const page = await openPage(context, url);
    await page.chat();
    await page.panel.getByText("Welcome to Acme").waitFor();
    assert.equal(await page.input.getAttribute("placeholder"), "Ask Acme");
    assert.equal(await page.send.evaluate((send) => getComputedStyle(send).backgroundColor), "rgb(11, 106, 148)");
    await page.panel.getByText("Where is my order?").click();
    await page.answered("How can I help?");
    assert.equal(await page.questions.textContent(), "Where is my order?");
  });
});

describe("answers", () => {
  test("stream, with Markdown", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(
      reply(["## Ti", "tle\n\n", "- **o", "ne**\n- two\n\n", "```js\nlet a", " = 1;\n```\n"], { gap: 30 }),
    );
    await page.chat("hi");
    await page.answered("Title");
    const answer = page.answers.last();
    // Line ends separate the blocks in the announcement.
    assert.equal(await answer.locator("h3").textContent(), "Title\n");
    assert.deepEqual(await answer.locator("li").allTextContents(), ["one\n", "two\n"]);
    assert.equal(await answer.locator("strong").textContent(), "one");
    assert.equal(await answer.locator("pre").textContent(), "let a = 1;\n");
    assert.equal(await answer.locator(".bar span").textContent(), "js");
  });

  test("can be stopped: the text stays, by button and by Escape", async () => {
    const page = await openPage(context, url);
    for (const stop of [() => page.send.click(), () => page.keyboard.press("Escape")]) {
      widget.server.state.script.push(
        reply(["One. ", ...Array.from({ length: 40 }, (_, at) => `Part ${at}. `)], { gap: 40 }),
      );
      await page.chat("tell me");
      await page.locator("clawless-chat .assistant:not(:has(.foot))").getByText("Part 1.").waitFor();
      assert.equal(await page.send.getAttribute("aria-label"), "Stop");
      await stop();
      await page.answers.last().locator(".problem").waitFor();
      assert.match(await page.answers.last().textContent(), /One\. .*\nThe answer was stopped/);
      assert.ok(await page.panel.isVisible());
      assert.equal(await page.send.getAttribute("aria-label"), "Send");
    }
  });

  test("that break keep their text, and can be asked for again", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(reply(["Half an ans"], { error: "upstream_error" }));
    await page.chat("hi");
    await page.answers.last().getByText("interrupted").waitFor();
    assert.match(await page.answers.last().textContent(), /Half an ans/);
    await page.answers.last().getByText("Try again").click();
    await page.answered("How can I help?");
    // The broken turn is gone, here and on the server.
    assert.equal(await page.answers.count(), 1);
    assert.equal(await page.questions.count(), 1);
    const [session] = widget.server.state.sessions.values();
    assert.equal(session.messages.length, 2);
  });

  test("can be replaced by a new answer", async () => {
    const page = await openPage(context, url);
    await page.chat("hi");
    await page.answered("How can I help?");
    widget.server.state.script.push(reply("Another one."));
    await page.answers.last().locator(".again").click();
    await page.answered("Another one.");
    assert.equal(await page.answers.count(), 1);
    const [session] = widget.server.state.sessions.values();
    assert.equal(session.messages.length, 2);
  });

  test("can be copied, and so can their code", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(reply("Try **this**:\n\n```sh\nls -l\n```\n"));
    await page.chat("hi");
    await page.answered("Try");
    await page.answers.last().locator(".foot").getByText("Copy", { exact: true }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "Try **this**:\n\n```sh\nls -l\n```\n");
    await page.answers.last().locator(".bar").getByText("Copy", { exact: true }).click();
    await page.waitForFunction(async () => (await navigator.clipboard.readText()) === "ls -l");
  });
});

describe("failures", () => {
  test("a lost connection is repeated with the same key, for one model call", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(reply(["One ", "two ", "three"], { gap: 50, cutAfter: 2 }));
    await page.chat("hi");
    await page.answered("One two three");
    assert.equal(widget.server.count(CHAT), 2);
    assert.equal(widget.server.state.calls, 1);
    assert.equal(await page.answers.last().locator(".body").textContent(), "One two three\n");
  });

  test("retry-after is obeyed", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(refusal(429, "rate_limit_exceeded", { "retry-after": "1" }));
    await page.chat("hi");
    await page.notice.getByText("busy").waitFor();
    const start = Date.now();
    await page.answered("How can I help?");
    assert.ok(Date.now() - start > 700);
    assert.equal(widget.server.count(CHAT), 2);
    assert.ok(await page.notice.isHidden());
  });

  test("a refusal that is final is reported, and can be retried by the visitor", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(refusal(500, "internal_error", { "x-should-retry": "false" }));
    await page.chat("hi");
    await page.answers.last().getByText("Something went wrong").waitFor();
    assert.match(await page.panel.locator("[role=alert]").textContent(), /Something went wrong/);
    await page.answers.last().getByText("Try again").click();
    await page.answered("How can I help?");
    assert.equal(await page.answers.count(), 1);
    assert.equal(await page.questions.count(), 1);
  });

  test("an expired token is renewed once", async () => {
    const page = await openPage(context, url);
    await page.chat("hi");
    await page.answered("How can I help?");
    widget.server.state.tokens.clear();
    await page.chat("again");
    await page.answered("How can I help?");
    assert.equal(widget.server.count("POST /v1/widget/session"), 2);
    assert.equal(widget.server.state.sessions.size, 1);
  });

  test("attack_11_a_page_of_a_foreign_origin_is_told_that_chat_is_not_available", async () => {
    widget.server.state.origins.delete(widget.site.url);
    try {
      const page = await openPage(context, url);
      await page.chat("hi");
      // Without a CORS header the browser hides the status: the widget sees a network error.
      await page.notice.getByText(/cannot be reached|not available/).waitFor();
      assert.equal(widget.server.count(CHAT), 0);
    } finally {
      widget.server.state.origins.add(widget.site.url);
    }
  });

  test("a refused session says that chat is not available", async () => {
    widget.server.state.sessionScript = Array.from({ length: 4 }, () => refusal(403, "permission_denied"));
    const page = await openPage(context, url);
    await page.chat();
    await page.notice.getByText("not available here").waitFor();
    await page.chat("hi");
    await page.answers.last().getByText("not available here").waitFor();
  });
});

describe("reloads", () => {
  test("find the conversation, and the open panel", async () => {
    const page = await openPage(context, url);
    await page.chat("my name is Ada");
    await page.answered("How can I help?");
    await page.reload();
    await page.panel.getByText("my name is Ada").waitFor();
    await page.answered("How can I help?");
    assert.equal(await page.answers.count(), 1);
    assert.equal(widget.server.state.sessions.size, 1);
    assert.ok(await page.evaluate(() => document.activeElement === document.body));
  });

  test("receive an answer that was still running, for one model call", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(reply(["One ", "two ", "three ", "four"], { gap: 300 }));
    await page.chat("count");
    await page.answers.last().getByText("One").waitFor();
    await page.reload();
    await page.answered("One two three four");
    assert.equal(widget.server.state.calls, 1);
    assert.equal(await page.questions.count(), 1);
    assert.equal(await page.answers.count(), 1);
  });

  test("resume a running answer whose message is unknown here", async () => {
    const page = await openPage(context, url);
    widget.server.state.script.push(reply(["One ", "two ", "three"], { gap: 300 }));
    await page.chat("count");
    await page.answers.last().getByText("One").waitFor();
    await page.evaluate(() => {
      for (const key of Object.keys(localStorage)) if (key.includes(":unsent:")) delete localStorage[key];
    });
    await page.reload();
    await page.answered("One two three");
    await page.questions.getByText("count").waitFor();
    assert.ok(widget.server.count("GET /v1/sessions/") >= 2);
    assert.equal(await page.answers.count(), 1);
  });
});

describe("offline", () => {
  test("messages wait and are sent once, in order", async () => {
    const page = await openPage(context, url);
    await page.chat("hello");
    await page.answered("How can I help?");
    await context.setOffline(true);
    await page.chat("first");
    await page.chat("second");
    await page.notice.getByText("offline").waitFor();
    assert.equal(await page.questions.getByText("Waiting to send").count(), 2);
    assert.equal(widget.server.count(CHAT), 1);
    await context.setOffline(false);
    await page.waitForFunction(
      () => document.querySelector("clawless-chat").shadowRoot.querySelectorAll(".assistant .foot").length === 3,
    );
    const [session] = widget.server.state.sessions.values();
    const asked = session.messages.filter(({ role }) => role === "user");
    assert.deepEqual(
      asked.map(({ message }) => message.content),
      ["hello", "first", "second"],
    );
    assert.equal(await page.questions.getByText("Waiting to send").count(), 0);
    assert.ok(await page.notice.isHidden());
  });

  test("two tabs send each message once", async () => {
    const one = await openPage(context, url);
    await one.chat("hello");
    await one.answered("How can I help?");
    const other = await openPage(context, url);
    await other.chat();
    await other.answered("How can I help?");
    await context.setOffline(true);
    await one.chat("from one");
    await other.chat("from the other");
    await other.notice.getByText("offline").waitFor();
    await context.setOffline(false);
    for (const page of [one, other]) {
      await page.waitForFunction(() => {
        const root = document.querySelector("clawless-chat").shadowRoot;
        return root.querySelectorAll(".assistant .foot").length === 3 && !root.textContent.includes("Waiting to send");
      });
    }
    assert.equal(widget.server.state.calls, 3);
    const [session] = widget.server.state.sessions.values();
    assert.equal(session.messages.length, 6);
  });

  test("a message survives that its tab is closed", async () => {
    const page = await openPage(context, url);
    await page.chat("hello");
    await page.answered("How can I help?");
    await context.setOffline(true);
    await page.chat("do not lose me");
    await page.close();
    await context.setOffline(false);
    const later = await openPage(context, url);
    await later.chat();
    const deadline = Date.now() + 5000;
    while (widget.server.state.calls < 2 && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(widget.server.state.calls, 2);
  });
});

describe("data", () => {
  test("can be deleted by the visitor", async () => {
    const page = await openPage(context, url);
    await page.chat("secret");
    await page.answered("How can I help?");
    await page.panel.locator("footer > .dim").getByText("Delete my data").click();
    // Another click or key than on the button cancels.
    await page.input.focus();
    assert.equal(await page.answers.count(), 1);
    await page.panel.locator("footer > .dim").getByText("Delete my data").click();
    await page.panel.getByText("Delete this conversation?").click();
    await page.notice.getByText("deleted").waitFor();
    assert.equal(await page.answers.count(), 0);
    assert.equal(widget.server.count("DELETE /v1/sessions/"), 1);
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
    await page.chat("a new start");
    await page.answered("How can I help?");
    assert.equal(await page.questions.count(), 1);
  });

  test("can be downloaded as a transcript", async () => {
    const page = await openPage(context, url);
    await page.chat("What is this?");
    await page.answered("How can I help?");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.panel.getByText("Download transcript").click(),
    ]);
    const stream = await download.createReadStream();
    let text = "";
    for await (const piece of stream) text += piece;
    assert.equal(text, "You:\nWhat is this?\n\nAssistant:\nHello! How can I help?\n");
  });

  test("the token is in no storage, and no request has it in its address", async () => {
    const page = await openPage(context, url);
    const urls = [];
    page.on("request", (request) => urls.push(request.url()));
    await page.chat("hi");
    await page.answered("How can I help?");
    const stored = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]),
    );
    for (const token of widget.server.state.tokens.keys()) {
      assert.ok(!stored.includes(token));
      assert.ok(!urls.some((address) => address.includes(token)));
    }
  });
});
