// The Worker that serves as the platform's AI binding. It runs on workerd.
//
// The real binding (cloudflare-internal:ai-api in workerd) is an object with a method
// `run(model, inputs, options)`. It posts `{ inputs, options }` to the platform, the model's name
// in a header and the signal kept back, and with `returnRawResponse` gives the platform's answer
// as it is. This one does the same; the platform is a test's upstream.
import { WorkerEntrypoint } from "cloudflare:workers";

export class Ai extends WorkerEntrypoint {
  async run(model, inputs, options = {}) {
    const { signal, ...sent } = options;
    const answer = await fetch(`${this.env.PLATFORM}/run`, {
      method: "POST",
      headers: { "content-type": "application/json", "cf-consn-model-id": model },
      body: JSON.stringify({ inputs, options: sent }),
      signal,
    });
    if (sent.returnRawResponse) return answer;
    throw new Error("the gateway asks for the raw answer, always");
  }
}

export default { fetch: () => new Response(null, { status: 404 }) };
