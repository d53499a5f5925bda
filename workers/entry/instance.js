// docs/decisions/014-classes-without-proxies.md

/** The wasm instance of worker-build's script, which starts a new one after an abort. */
export class Instance {
  #state;

  /** `state` returns worker-build's record: whether the instance has aborted, and its number. */
  constructor(state) {
    this.#state = state;
  }

  /** The number of the instance. If it has aborted, `restart` makes worker-build's script start a new one. */
  number(restart) {
    if (this.#state().criticalError) restart();
    return this.#state().instanceId;
  }

  /** Notes an error that work has thrown: one of wasm is the abort of the instance. */
  note(error) {
    if (error instanceof WebAssembly.RuntimeError) this.#state().criticalError = true;
  }
}

/** The instance of this isolate. */
export const instance = new Instance(() => globalThis.__worker_init_state);
