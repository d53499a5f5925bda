// An answer of 16 KB in 4,000 chunks keeps the main thread free. `cargo xtask bench` prints its time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { openPage, startBrowser } from "./harness/browser.mjs";
import { reply } from "./harness/server.mjs";
import { shopPage } from "./harness/site.mjs";
import { CHUNKS, measure, streamReply } from "./harness/speed.mjs";

let widget;
before(async () => {
  widget = await startBrowser();
});
after(() => widget.stop());

test("a reply of 16 KB in 4,000 chunks is shown in a few steps, of whatever kind", { timeout: 120_000 }, async () => {
  const context = await widget.browser.newContext();
  const page = await openPage(context, widget.site.page(shopPage(widget.tag())));
  await page.chat("warm up");
  await page.answered("How can I help?");
  for (const [kind, chunks] of Object.entries(CHUNKS)) {
    assert.equal(chunks.length, 4_000);
    widget.server.state.script.push(reply(chunks));
    const spent = await measure(page, () => streamReply(page));
    console.log(
      `${kind}: main thread ${spent.time} ms: script ${spent.script}, layout ${spent.layout}, style ${spent.style}`,
    );
    // Chunks share a layout, however fast the machine is.
    assert.ok(spent.layouts < 400, `${spent.layouts} layouts`);
    assert.equal((await page.answers.last().locator(".body").textContent()).length > 9_000, true);
    await page.evaluate(() => document.querySelector("clawless-chat").reset());
  }
});

test("the time of one block grows with its length, not with its square", { timeout: 120_000 }, async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: 'export { markdownWriter } from "../src/view/markdown.ts"',
      resolveDir: new URL(".", import.meta.url).pathname,
    },
    bundle: true,
    format: "iife",
    globalName: "view",
    write: false,
  });
  const page = await widget.browser.newPage();
  await page.evaluate(outputFiles[0].text.replace("var view", "window.view"));
  for (const [kind, chunks] of Object.entries(CHUNKS)) {
    const result = await page.evaluate((chunks) => {
      const write = (pieces) => {
        const root = document.createElement("div");
        const writer = window.view.markdownWriter(root, (_, code) => code);
        const start = performance.now();
        for (const piece of pieces) writer(piece);
        writer();
        return { html: root.innerHTML, time: performance.now() - start };
      };
      write(chunks);
      const [short, long] = [write(chunks.slice(0, 1000)), write(chunks)];
      return { short: short.time, long: long.time, same: long.html === write([chunks.join("")]).html };
    }, chunks);
    assert.ok(result.same, kind);
    console.log(
      `${kind}: ${result.short.toFixed()} ms for 4 KB, ${result.long.toFixed()} ms for 16 KB, each piece shown`,
    );
    // A paragraph is parsed as a whole, since its marks can span it.
    if (kind !== "paragraph") assert.ok(result.long < result.short * 10 + 50, `${kind}: ${JSON.stringify(result)}`);
  }
});
