// An answer of 16 KB in 4,000 chunks keeps the main thread free. `cargo xtask bench` prints its time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";
import { CHUNKS, measure, streamReply } from "./harness/speed.mjs";

let widget;
before(async () => {
  widget = await startBrowser();
});
after(() => widget.stop());

test("a reply of 16 KB in 4,000 chunks is shown in a few steps", { timeout: 60_000 }, async () => {
  const context = await widget.browser.newContext();
  const page = await openPage(context, widget.site.page(shopPage(widget.tag())));
  await page.chat("warm up");
  await page.answered("How can I help?");
  assert.equal(CHUNKS.length, 4_000);
  widget.server.state.script.push(reply(CHUNKS));
  const spent = await measure(page, () => streamReply(page));
  console.log(`main thread ${spent.time} ms: script ${spent.script}, layout ${spent.layout}, style ${spent.style}`);
  // Chunks share a layout, however fast the machine is.
  assert.ok(spent.layouts < 400, `${spent.layouts} layouts`);
  assert.equal((await page.answers.last().locator(".body").textContent()).length > 10_000, true);
});
