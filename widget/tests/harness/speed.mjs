// Measures the main thread of a page while it receives a long answer. For the speed test and for `bench/widget`.

const LINE = "Some *text* with a [link](https://example.com) and `code`, long enough to wrap.\n\n";
const TEXT = LINE.repeat(Math.ceil(16_000 / LINE.length)).slice(0, 16_000);

/** An answer of 16 KB in 4,000 chunks. */
export const CHUNKS = TEXT.match(/[\s\S]{4}/g);

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
