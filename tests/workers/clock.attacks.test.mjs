// Attack 47 and fault 29: a clock that goes back or crosses the end of a month never refills a quota twice.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";

const DAY = 86_400_000;

let persist;
let upstream;
before(async () => {
  persist = mkdtempSync(path.join(tmpdir(), "clawless-clock-"));
  upstream = await startUpstream();
});
after(async () => {
  await upstream.close();
  rmSync(persist, { recursive: true, force: true });
});

/** The start of a month, relative to the current one. */
function month(offset) {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1));
}

test("a_month_has_one_quota_even_if_the_clock_changes", async () => {
  const now = Date.now();
  let key;

  /** Starts a stack at another time and sends requests until one is rejected: whether the first passed, and the error. */
  async function requestAt(clockAheadMs, { tenants = 0 } = {}) {
    const stack = await startStack({ persist, upstream, tenants, fresh: tenants > 0, clockAheadMs });
    try {
      if (tenants > 0) {
        await stack.updateSettings(stack.tenants[0].tenant_id, { quotas: { messages_per_month: 1 } });
        key = stack.key;
        await complete(stack, {}, { key });
      }
      const first = await postChat(stack, chatBody(), { key });
      const passed = first.status === 200;
      if (passed) await first.arrayBuffer();
      const { message } = await expectError(passed ? await postChat(stack, chatBody(), { key }) : first, 429, { code: "insufficient_quota" });
      return { passed, message };
    } finally {
      await stack.stop();
    }
  }

  const resetsOn = (offset) => new RegExp(`on ${month(offset).toISOString().slice(0, 10)}`);
  const present = await requestAt(0, { tenants: 1 });
  assert.ok(!present.passed);
  assert.match(present.message, resetsOn(1));
  for (const back of [-3_600_000, month(0) - now - DAY]) {
    const { passed, message } = await requestAt(back);
    assert.ok(!passed, "a clock that goes back refills nothing");
    assert.match(message, /1 used and 0 reserved of 1/);
  }
  const following = await requestAt(month(1) - now + DAY);
  assert.ok(following.passed, "a new month has a new quota");
  assert.match(following.message, resetsOn(2));
  const returned = await requestAt(0);
  assert.ok(!returned.passed, "going back does not refill either month's quota");
  assert.equal(upstream.requests.length, 2);
});
