// The entry script of every Worker, around the script that worker-build makes of the crate
// (`worker.js`). Each import below changes one behaviour of the runtime; `docs/decisions/` says why.
import { WorkerEntrypoint } from "cloudflare:workers";
import { errorResponse } from "./error-response.js";
import { instance } from "./instance.js";
import { queueMicrotaskByPromise } from "./microtasks.js";
import { PanicGuard } from "./panic-guard.js";
import Built from "./worker.js";

globalThis.queueMicrotask = queueMicrotaskByPromise;

const guard = new PanicGuard();
addEventListener("error", ({ error }) => guard.report(error));

export default class extends WorkerEntrypoint {
  async fetch(request) {
    try {
      return await this.#run("fetch", request);
    } catch (error) {
      return errorResponse(request, this.env, error);
    }
  }

  /** A batch that fails is delivered again. */
  queue(batch) {
    return this.#run("queue", batch);
  }

  scheduled(event) {
    return this.#run("scheduled", event);
  }

  /** Runs a handler of the crate. */
  async #run(name, event) {
    instance.number(() => new Built(this.ctx, this.env));
    try {
      return await guard.run(() => Built.prototype[name].call(this, event));
    } catch (error) {
      instance.note(error);
      throw error;
    }
  }
}
