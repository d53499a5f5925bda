// Waits for a condition, with a timeout.
import { setTimeout as sleep } from "node:timers/promises";

/** Waits until `condition` holds; throws an error with `what` on timeout. */
export async function until(condition, what, { timeoutMs = 10_000 } = {}) {
  for (const end = Date.now() + timeoutMs; !(await condition()); await sleep(10)) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
  }
}
