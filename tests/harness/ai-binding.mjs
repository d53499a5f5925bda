// A Worker that replaces the platform's AI binding in tests. It runs on workerd.
//
// The real binding (cloudflare-internal:ai-api in workerd) is an object with a method
// `run(model, inputs, options)`. It posts `{ inputs, options }` to the platform, the model's name
// in a header and without the signal, and with `returnRawResponse` returns the platform's raw
// response. This one does the same; the platform is a test's upstream.
import { WorkerEntrypoint } from "cloudflare:workers";

export class Ai extends WorkerEntrypoint {
  async run(model, inputs, options = {}) {
    const { signal, ...forwarded } = options;
    const response = await fetch(`${this.env.PLATFORM}/run`, {
      method: "POST",
      headers: { "content-type": "application/json", "cf-consn-model-id": model },
      body: JSON.stringify({ inputs, options: forwarded }),
      signal,
    });
    if (forwarded.returnRawResponse) return response;
    throw new Error("the gateway always requests the raw response");
  }
}

export default { fetch: () => new Response(null, { status: 404 }) };
