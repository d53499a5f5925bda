// How long an answer keeps the main thread busy: 16 KB in 4,000 chunks.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";

/** Above this the test fails. The goal of 50 ms is for an idle machine; test machines are busy. */
const LIMIT = 400;

let widget;
before(async () => {
  widget = await startBrowser();
});
after(() => widget.stop());

test("a reply of 16 KB in 4,000 chunks keeps the main thread free", { timeout: 60_000 }, async () => {
  const context = await widget.browser.newContext();
  const page = await openPage(context, widget.site.page(shopPage(widget.tag())));
  await page.chat("warm up");
  await page.answered("How can I help?");
  const line = "Some *text* with a [link](https://example.com) and `code`, long enough to wrap.\n\n";
  const text = line.repeat(Math.ceil(16_000 / line.length)).slice(0, 16_000);
  const chunks = text.match(/[\s\S]{4}/g);
  assert.equal(chunks.length, 4_000);
  const client = await context.newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const measure = async () =>
    Object.fromEntries(
      (await client.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value * 1000]),
    );
  widget.server.state.script.push(reply(chunks));
  const before = await measure();
  await page.chat("go");
  await page.answers.last().locator(".again").waitFor();
  const after = await measure();
  const spent = (name) => Math.round(after[name] - before[name]);
  console.log(
    `main thread ${spent("TaskDuration")} ms: script ${spent("ScriptDuration")}, layout ${spent("LayoutDuration")}, style ${spent("RecalcStyleDuration")}`,
  );
  assert.ok(spent("TaskDuration") < LIMIT);
  assert.equal((await page.answers.last().locator(".body").textContent()).length > 10_000, true);
});
