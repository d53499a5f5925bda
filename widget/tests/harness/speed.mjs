// Measures the main thread of a page while it receives a long answer. For the speed test and for `bench/widget`.

const SENTENCE = "Some *text* with a [link](https://example.com) and `code`, long enough to wrap.";

/** The kinds of answers: each text is repeated, and all but the first are one block. */
const KINDS = {
  paragraphs: ["", `${SENTENCE}\n\n`],
  paragraph: ["", `${SENTENCE} `],
  list: ["", `- ${SENTENCE}\n`],
  "nested list": ["- One\n", `  - ${SENTENCE}\n`],
  table: ["| a | b |\n|---|---|\n", `| ${SENTENCE.slice(0, 40)} | ${SENTENCE.slice(40)} |\n`],
  code: ["```js\n", "const text = `Some text`; // long enough for a line\n"],
};

/** Answers of 16 KB in 4,000 chunks, by kind. */
export const CHUNKS = Object.fromEntries(
  Object.entries(KINDS).map(([kind, [start, part]]) => [
    kind,
    (start + part.repeat(Math.ceil(16_000 / part.length))).slice(0, 16_000).match(/[\s\S]{4}/g),
  ]),
);

/** Sends a message from within the page, and waits until its answer is shown: nothing else uses the page meanwhile. */
export const streamReply = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const host = document.querySelector("clawless-chat");
        host.on("message", function answered({ detail }) {
          if (detail.role !== "assistant") return;
          host.off("message", answered);
          requestAnimationFrame(() => requestAnimationFrame(resolve));
        });
        host.send("go");
      }),
  );

/** What the main thread of a page does during some work: milliseconds of CPU time, and the number of layouts. */
export async function measure(page, work) {
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable", { timeDomain: "threadTicks" });
  const read = async () =>
    Object.fromEntries((await client.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const before = await read();
  await work();
  const after = await read();
  await client.detach();
  const time = (name) => Math.round((after[name] - before[name]) * 1000);
  return {
    time: time("TaskDuration"),
    script: time("ScriptDuration"),
    layout: time("LayoutDuration"),
    style: time("RecalcStyleDuration"),
    layouts: after.LayoutCount - before.LayoutCount,
  };
}
