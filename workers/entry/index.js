// The entry script of every Worker, around the script that worker-build makes of the crate
// (`worker.js`). Each import below changes one behaviour of the runtime; `docs/decisions/` says why.
import { DurableObject } from "cloudflare:workers";
import { extendDurableObject } from "./durable-objects.js";
import { errorResponse } from "./error-response.js";
import { queueMicrotaskByPromise } from "./microtasks.js";
import { PanicGuard } from "./panic-guard.js";
import Built, * as built from "./worker.js";

// The classes of Durable Objects.
export * from "./worker.js";

extendDurableObject(Object.values(built), DurableObject);
globalThis.queueMicrotask = queueMicrotaskByPromise;

const guard = new PanicGuard();
addEventListener("error", ({ error }) => guard.report(error));

export default class extends Built {
  async fetch(request) {
    try {
      return await guard.run(() => super.fetch(request));
    } catch (error) {
      return errorResponse(request, this.env, error);
    }
  }

  /** A batch that fails is delivered again. */
  queue(batch) {
    return guard.run(() => super.queue(batch));
  }
}
