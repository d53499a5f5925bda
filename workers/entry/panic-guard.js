// docs/decisions/009-responses-after-a-panic.md

/** Rejects all running work when the wasm instance aborts. */
export class PanicGuard {
  /** One function per running work, which rejects it. */
  #running = new Set();

  /** Runs `work`. Its promise rejects when the instance aborts meanwhile. */
  run(work) {
    return new Promise((resolve, reject) => {
      const end = (settle) => (value) => {
        this.#running.delete(reject);
        settle(value);
      };
      const working = work();
      this.#running.add(reject);
      working.then(end(resolve), end(reject));
    });
  }

  /** Handles an uncaught error: one of wasm is the abort of the instance. */
  report(error) {
    if (error instanceof WebAssembly.RuntimeError) for (const reject of this.#running) reject(error);
  }
}
