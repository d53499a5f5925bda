// A stand-in for the platform's AI binding, and the shapes in which the platform answers.
import { readFileSync } from "node:fs";
import { events, json } from "./behaviours.mjs";

const NAME = "ai-stand-in";
const SOURCE = new URL("ai-stand-in.mjs", import.meta.url);

// The real binding keeps the signal in the gateway; this one takes it over RPC.
const FLAGS = ["enable_abortsignal_rpc"];

/** The gateway's binding to the stand-in. */
export const AI_BINDING = { services: { AI: { name: NAME, entrypoint: "Ai" } }, flags: FLAGS };

/** The Worker behind the binding; the platform that it asks is an upstream. */
export function aiStandIn(upstream) {
  const script = readFileSync(SOURCE, "utf8");
  return { name: NAME, modules: true, script, bindings: { PLATFORM: upstream.baseUrl }, compatibilityDate: "2026-11-01", compatibilityFlags: FLAGS };
}

/** The provider whose models the binding runs. */
export const PLATFORM = { name: "workers-ai", kind: "workers_ai" };

export const USAGE = { prompt_tokens: 21, completion_tokens: 4, total_tokens: 25 };

/** An answer in the platform's own form: a text, or what JSON mode made; calls beside it. */
export function native({ response = "Hello there.", tool_calls, usage = USAGE } = {}) {
  return json(200, { response, ...(tool_calls ? { tool_calls } : {}), ...(usage ? { usage } : {}) });
}

/** A stream in the platform's own form: one event a piece, then the usage, then `[DONE]`. */
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

/** A refusal of the platform's: its own code, beside the HTTP status. */
export function refusal(status, internalCode, headers = {}) {
  return json(status, { internalCode, name: "InferenceUpstreamError", message: "AiError", description: "platform-internal-detail" }, headers);
}
