import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { queueMicrotaskByPromise } from "../../workers/entry/microtasks.js";

const { reportError } = globalThis;
let reported;
before(() => (globalThis.reportError = (error) => reported.push(error)));
after(() => (globalThis.reportError = reportError));
beforeEach(() => (reported = []));

test("a_task_runs_after_the_present_code_and_before_any_timer", async () => {
  const order = [];
  setTimeout(() => order.push("timer"), 0);
  queueMicrotaskByPromise(() => order.push("task"));
  order.push("now");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(order, ["now", "task", "timer"]);
});

test("tasks_run_in_the_order_of_their_calls_also_beside_the_original", async () => {
  const order = [];
  queueMicrotaskByPromise(() => order.push(1));
  queueMicrotask(() => order.push(2));
  queueMicrotaskByPromise(() => order.push(3));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(order, [1, 2, 3]);
});

test("an_error_is_reported_and_the_next_task_runs", async () => {
  const error = new Error("failed");
  let ran = false;
  queueMicrotaskByPromise(() => {
    throw error;
  });
  queueMicrotaskByPromise(() => (ran = true));
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual([reported, ran], [[error], true]);
});
