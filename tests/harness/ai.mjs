// A replacement for the platform's AI binding, and the platform's response formats.
import { readFileSync } from "node:fs";
import { events, json } from "./behaviours.mjs";

const NAME = "ai-binding";
const SOURCE = new URL("ai-binding.mjs", import.meta.url);

// The real binding keeps the signal in the gateway; this one takes it over RPC.
const FLAGS = ["enable_abortsignal_rpc"];

/** The gateway's binding to that Worker. */
export const AI_BINDING = { services: { AI: { name: NAME, entrypoint: "Ai" } }, flags: FLAGS };

/** The Worker behind the binding; it calls the upstream as its platform. */
export function aiBindingWorker(upstream) {
  const script = readFileSync(SOURCE, "utf8");
  return { name: NAME, modules: true, script, bindings: { PLATFORM: upstream.baseUrl }, compatibilityDate: "2026-11-01", compatibilityFlags: FLAGS };
}

/** The provider whose models the binding runs. */
export const PLATFORM = { name: "workers-ai", kind: "workers_ai" };

export const USAGE = { prompt_tokens: 21, completion_tokens: 4, total_tokens: 25 };

/** A response in the platform's own format: text or the JSON mode's value, with tool calls if any. */
export function native({ response = "Hello there.", tool_calls, usage = USAGE } = {}) {
  return json(200, { response, ...(tool_calls ? { tool_calls } : {}), ...(usage ? { usage } : {}) });
}

/** A stream in the platform's own format: one event per piece, then the usage, then `[DONE]`. */
export function nativeStream({ pieces = ["Hello", " there", "."], calls = [], usage = USAGE, last = true, ending } = {}) {
  return events(
    () => [
      ...pieces.map((response) => ({ response, p: "abdefghi" })),
      ...calls.map((call) => ({ response: "", tool_calls: [call] })),
      ...(usage ? [{ response: "", usage }] : []),
      ...(last ? ["[DONE]"] : []),
    ],
    ending ? { ending } : {},
  );
}

/** An error response of the platform: its own code in addition to the HTTP status. */
export function refusal(status, internalCode, headers = {}) {
  return json(status, { internalCode, name: "InferenceUpstreamError", message: "AiError", description: "platform-internal-detail" }, headers);
}
