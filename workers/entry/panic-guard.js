// docs/decisions/009-responses-after-a-panic.md

/** Rejects all running work when the wasm instance aborts. */
export class PanicGuard {
  /** One function per running work, which rejects it. */
  #running = new Set();

  /** Runs `work`. Its promise rejects when the instance aborts meanwhile. */
  async run(work) {
    const { promise: aborted, reject } = Promise.withResolvers();
    this.#running.add(reject);
    try {
      return await Promise.race([work(), aborted]);
    } finally {
      this.#running.delete(reject);
    }
  }

  /** Handles an uncaught error: one of wasm is the abort of the instance. */
  report(error) {
    if (error instanceof WebAssembly.RuntimeError) for (const reject of this.#running) reject(error);
  }
}
