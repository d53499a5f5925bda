// A scripted model for conversations in sessions: it sees photos, remembers names, thinks for a long
// time and makes a chain of tool calls.
import { setTimeout as sleep } from "node:timers/promises";
import { events, json } from "./behaviours.mjs";

/** How long the model thinks: minutes, scaled to seconds. */
export const THINKING_MS = 2500;

/** The number of calls in its chain of tools; each call needs the result of the one before. */
export const STEPS = 3;

/**
 * The behaviour for a wire format:
 *
 * - "Think.": sends nothing for `THINKING_MS`, then responds "Done.";
 * - "Climb.": calls `step` with `{ n: 1 }`, then with each result, and after `STEPS` results responds
 *   with the last one;
 * - otherwise responds with JSON: the number of images and whether a message contains "Ada".
 */
export function converse(dialect) {
  return async (request, response) => {
    const conversation = JSON.stringify(request.body.messages);
    const last = conversation.slice(conversation.lastIndexOf('"user"'));
    if (last.includes("Think.")) {
      await sleep(THINKING_MS);
      return respond(dialect, "Done.")(request, response);
    }
    if (conversation.includes("Climb.")) return climb(dialect)(request, response);
    const images = conversation.match(/"type":"(image|image_url)"/gu) ?? [];
    return respond(dialect, JSON.stringify({ images: images.length, ada: conversation.includes("Ada") }))(request, response);
  };
}

/** A complete response with this text, streamed or not. */
function respond(dialect, text) {
  return (request, response) => {
    if (request.body.stream !== true) return json(200, dialect.body(request, { text }))(request, response);
    return events((req) => [...dialect.opening(req, text.match(/.{1,5}/gsu)), ...dialect.closing(req)])(request, response);
  };
}

function climb(dialect) {
  return (request, response) => {
    const results = Object.values(dialect.results(request.body));
    const step = results.length + 1;
    if (step > STEPS) return respond(dialect, `The top: ${results.at(-1)}`)(request, response);
    // The chain is intact only if each earlier call came back with its input.
    const steps = dialect.previousCalls(request.body).map(({ input }) => input.n);
    if (steps.join() !== Array.from({ length: step - 1 }, (_, index) => index + 1).join()) return json(400, { error: { message: `the calls are ${steps}` } })(request, response);
    const calls = [{ id: `call_step${step}`, name: "step", input: { n: step } }];
    if (request.body.stream !== true) return json(200, dialect.body(request, { calls }))(request, response);
    return events((req) => [...dialect.calls(req, calls), ...dialect.closing(req, { finish: "tool_calls" })])(request, response);
  };
}
