// Measures the main thread of a page while an answer of 16 KB in 4,000 chunks arrives: in our widget, of each kind, and in
// the widget `deep-chat` from npm. Prints JSON. Usage: node bench/widget.mjs FOLDER, where `deep-chat` is installed.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { openPage, startBrowser } from "../widget/tests/harness/browser.mjs";
import { reply } from "../widget/tests/harness/server.mjs";
import { shopPage } from "../widget/tests/harness/site.mjs";
import { CHUNKS, measure, streamReply } from "../widget/tests/harness/speed.mjs";

/** Answers of each kind of our widget. The result is the median. */
const ROUNDS = 5;

const [folder] = process.argv.slice(2);
const root = path.join(folder, "node_modules/deep-chat");
const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));

/** A page with deep-chat, and the stream that it receives. */
async function startOther() {
  const bundle = await readFile(path.join(root, "dist/deepChat.bundle.js"));
  const server = createServer((request, response) => {
    if (request.url === "/chat") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const text of CHUNKS.paragraphs) response.write(`data: ${JSON.stringify({ text })}\n\n`);
      response.end();
    } else if (request.url === "/deep-chat.js") {
      response.writeHead(200, { "content-type": "text/javascript" });
      response.end(bundle);
    } else {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
      response.end(shopPage(`<script type="module" src="/deep-chat.js"></script>
        <deep-chat style="position:fixed;right:20px;bottom:20px;width:400px;height:600px"></deep-chat>`));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.closeAllConnections() ?? server.close() };
}

/** Sends a message to deep-chat, and waits until its answer is shown. */
const streamOther = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        window.answered = () => requestAnimationFrame(() => requestAnimationFrame(resolve));
        document.querySelector("deep-chat").submitUserMessage({ text: "go" });
      }),
  );

const widget = await startBrowser();
const other = await startOther();
try {
  const context = await widget.browser.newContext();
  const ours = await openPage(context, widget.site.page(shopPage(widget.tag())));
  await ours.chat("warm up");
  await ours.answered("How can I help?");
  const theirs = await context.newPage();
  await theirs.goto(other.url);
  await theirs.waitForFunction(() => customElements.get("deep-chat"));
  await theirs.evaluate(() => {
    const onMessage = ({ message }) => message.role === "ai" && window.answered();
    Object.assign(document.querySelector("deep-chat"), { connect: { url: "/chat", stream: true }, onMessage });
  });
  await theirs.waitForTimeout(500);
  await theirs.bringToFront();
  const { time: theirTime } = await measure(theirs, () => streamOther(theirs));
  await ours.bringToFront();
  const medians = {};
  for (const [kind, chunks] of Object.entries(CHUNKS)) {
    const times = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Each answer is the first of its conversation.
      await ours.evaluate(() => document.querySelector("clawless-chat").reset());
      widget.server.state.script.push(reply(chunks));
      times.push((await measure(ours, () => streamReply(ours))).time);
    }
    medians[kind] = times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  }
  const shown = await theirs.evaluate(() => document.querySelector("deep-chat").getMessages().at(-1).text.length);
  if (shown !== CHUNKS.paragraphs.join("").length) throw new Error(`deep-chat has shown ${shown} characters`);
  const [worst, worst_ms] = Object.entries(medians).toSorted(([, a], [, b]) => b - a)[0];
  console.log(JSON.stringify({ ours_ms: medians.paragraphs, worst, worst_ms, other: `deep-chat ${version}`, other_ms: theirTime }));
} finally {
  other.stop();
  await widget.stop();
}
