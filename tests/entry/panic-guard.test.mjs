import assert from "node:assert/strict";
import { test } from "node:test";
import { PanicGuard } from "../../workers/entry/panic-guard.js";

const never = () => new Promise(() => {});

test("work_that_ends_gives_its_own_result", async () => {
  const guard = new PanicGuard();
  assert.equal(await guard.run(async () => "done"), "done");
  await assert.rejects(guard.run(async () => Promise.reject(new Error("its own"))), /its own/);
});

test("an_abort_of_wasm_rejects_all_running_work_and_nothing_later", async () => {
  const guard = new PanicGuard();
  const running = [guard.run(never), guard.run(never)];
  const abort = new WebAssembly.RuntimeError("unreachable");
  guard.report(abort);
  for (const work of running) await assert.rejects(work, (error) => error === abort);
  assert.equal(await guard.run(async () => "the next request"), "the next request");
});

test("another_uncaught_error_rejects_nothing", async () => {
  const guard = new PanicGuard();
  const running = guard.run(never);
  guard.report(new TypeError("of some other code"));
  assert.equal(await Promise.race([running, Promise.resolve("still running")]), "still running");
});
