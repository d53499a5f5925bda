// Attack 47 and fault 29: a clock that steps back or over a month's edge refills nothing twice.
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

/** The first moment of a month, counted from the present one. */
function month(offset) {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1));
}

test("a_month_has_one_quota_whatever_the_clock_does", async () => {
  const now = Date.now();
  let key;

  /** Starts everything at another time and asks twice: gives how many passed, and the last refusal. */
  async function askAt(clockAheadMs, { tenants = 0 } = {}) {
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

  const startsAnew = (offset) => new RegExp(`on ${month(offset).toISOString().slice(0, 10)}`);
  const present = await askAt(0, { tenants: 1 });
  assert.ok(!present.passed);
  assert.match(present.message, startsAnew(1));
  for (const back of [-3_600_000, month(0) - now - DAY]) {
    const { passed, message } = await askAt(back);
    assert.ok(!passed, "a clock that runs backwards refills nothing");
    assert.match(message, /1 used and 0 reserved of 1/);
  }
  const following = await askAt(month(1) - now + DAY);
  assert.ok(following.passed, "a new month has a new quota");
  assert.match(following.message, startsAnew(2));
  const returned = await askAt(0);
  assert.ok(!returned.passed, "and going back gives neither month's again");
  assert.equal(upstream.requests.length, 2);
});
