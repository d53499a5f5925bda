// docs/decisions/010-microtasks-by-promises.md

const settled = Promise.resolve();

/** As `queueMicrotask`: runs `task` as a microtask, and reports an error that it throws. */
export function queueMicrotaskByPromise(task) {
  settled.then(() => {
    try {
      task();
    } catch (error) {
      reportError(error);
    }
  });
}
