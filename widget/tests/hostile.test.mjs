// Hostile answers: nothing is executed, nothing is requested, no link is unsafe. Attacks 38 and 54.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";

const folder = new URL("corpus/", import.meta.url);
const CONTROLS = { "{NUL}": "\u0000", "{SOH}": "\u0001" };

/** The replies of a file, separated by lines of `%%`. */
async function corpus(name) {
  const text = (await readFile(new URL(name, folder), "utf8")).replace(/\n$/, "");
  return text.split("\n%%\n").map((one) => one.replace(/\{(NUL|SOH)\}/g, (control) => CONTROLS[control]));
}

/** Elements that an answer may become. */
const ALLOWED = new Set(
  "a article b blockquote br button code div em h3 hr li ol p path pre s span strong svg table tbody td th thead tr ul".split(
    " ",
  ),
);
const ATTRIBUTES = new Set(
  "aria-label class d dir href part referrerpolicy rel role start tabindex target title viewBox".split(" "),
);

let widget;
let page;
const requested = [];

before(async () => {
  widget = await startBrowser();
  const context = await widget.browser.newContext();
  // Also without a policy nothing may be executed: the page allows everything.
  const url = widget.site.page(
    shopPage(widget.tag(), { head: "<script>window.hits = 0; window.hit = () => window.hits++;</script>" }),
  );
  page = await openPage(context, url);
  page.on("request", (request) => requested.push(request.url()));
  page.on("dialog", (dialog) => {
    requested.push(`dialog ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.chat();
});
after(() => widget.stop());

/** What the last answer has become. */
const inspect = () =>
  page.evaluate(() => {
    const answer = [...document.querySelector("clawless-chat").shadowRoot.querySelectorAll(".assistant")].at(-1);
    const elements = [answer, ...answer.querySelectorAll("*")];
    return {
      html: answer.querySelector(".body").innerHTML,
      tags: elements.map((element) => element.localName),
      attributes: elements.flatMap((element) => element.getAttributeNames()),
      links: elements
        .filter((element) => element.localName === "a" && element.hasAttribute("href"))
        .map(({ protocol, username, password }) => ({ protocol, credentials: username + password })),
      hits: window.hits,
    };
  });

let count = 0;
for (const file of (await readdir(folder)).sort()) {
  const replies = await corpus(file);
  count += replies.length;
  test(`attack_38_${replies.length}_hostile_replies_of_${file}_are_inert`, { timeout: 120_000 }, async () => {
    for (const text of replies) {
      await page.evaluate(() => document.querySelector("clawless-chat").reset());
      // Whole, and in small pieces, some of which the page shows before the next: the result is the same.
      const shown = [];
      const pieces = text.match(/[\s\S]{1,7}/g).slice(0, 600);
      for (const script of [reply(pieces.join("")), reply(pieces, { gap: pieces.length < 30 ? 5 : 0 })]) {
        widget.server.state.script.push(script);
        await page.chat("go");
        await page.locator("clawless-chat .assistant:last-child .again").waitFor();
        const { html, tags, attributes, links, hits } = await inspect();
        shown.push(html);
        const what = JSON.stringify(text);
        assert.equal(hits, 0, `executed: ${what}`);
        assert.deepEqual(
          tags.filter((tag) => !ALLOWED.has(tag)),
          [],
          `elements of ${what}`,
        );
        assert.deepEqual(
          attributes.filter((name) => !ATTRIBUTES.has(name)),
          [],
          `attributes of ${what}`,
        );
        for (const { protocol, credentials } of links) {
          assert.match(protocol, /^(https?|mailto|tel):$/, what);
          assert.equal(credentials, "", what);
        }
      }
      assert.equal(shown[1], shown[0]);
    }
    const foreign = requested.filter((url) => !url.startsWith(widget.server.url) && !url.startsWith(`blob:`));
    assert.deepEqual(foreign, []);
    assert.deepEqual(page.problems, []);
  });
}

test("the_corpus_has_at_least_200_replies", () => {
  assert.ok(count >= 200, `${count}`);
});

test("attack_38_an_image_becomes_a_link_that_is_followed_by_the_visitor_only", async () => {
  widget.server.state.script.push(reply("See ![the plan](https://example.com/plan.png) and <b>this</b>."));
  await page.chat("image");
  const link = page.locator("clawless-chat .assistant:last-child a");
  await link.waitFor();
  assert.equal(await link.getAttribute("href"), "https://example.com/plan.png");
  assert.equal(await link.textContent(), "the plan");
  assert.match(await link.getAttribute("rel"), /\bnoreferrer\b/);
  assert.equal(await page.locator("clawless-chat .assistant img").count(), 0);
});

test("attack_54_messages_posted_to_the_page_change_nothing", async () => {
  const before = await page.locator("clawless-chat .list > *").count();
  await page.evaluate(() => {
    for (const data of [
      "open",
      { type: "clawless", method: "send", text: "x" },
      { clawless: "destroy" },
      '{"event":"reset"}',
    ]) {
      window.postMessage(data, "*");
      window.dispatchEvent(new MessageEvent("message", { data, origin: "https://evil.example" }));
    }
  });
  await page.waitForTimeout(100);
  assert.equal(await page.locator("clawless-chat .list > *").count(), before);
  assert.ok(await page.panel.isVisible());
});
