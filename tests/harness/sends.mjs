// A model that executes commands in user messages, for tests of messages between sessions.
import { completionOrStream, chunk, events, json, USAGE } from "./behaviours.mjs";

/** The user message that makes the model call `sessions_send` once for each of these arguments. */
export const send = (...calls) => `SEND ${JSON.stringify(calls)}`;

/** The text of a message from session `from`, as the model receives it. */
export const withSenderPrefix = (from, text) => `[Message from session \`${from}\` of this account]\n\n${text}`;

/**
 * Calls `sessions_send` if the last user message is a command, also in a message between sessions;
 * responds with the results of tool calls; and responds to any other text with `re: …`. `meanwhile`
 * can delay a response or return another behaviour: its argument is the text of the last user message
 * without the sender's prefix, or the text of the response to tool results.
 */
export function commandModel({ meanwhile = async () => {} } = {}) {
  return async (request, response) => {
    const { messages } = request.body;
    const last = messages.at(-1);
    if (last.role === "tool") {
      const results = [];
      for (let at = messages.length - 1; messages[at].role === "tool"; at -= 1) results.unshift(messages[at].content);
      const content = `results: ${results.join(" | ")}`;
      const behave = (await meanwhile(content)) ?? completionOrStream({ content });
      return behave(request, response);
    }
    const text = last.content.replace(/^\[Message from [^\n]*\]\n\n/, "");
    const override = await meanwhile(text);
    if (override) return override(request, response);
    if (!text.startsWith("SEND ")) return completionOrStream({ content: `re: ${text}` })(request, response);
    const calls = JSON.parse(text.slice("SEND ".length)).map((input, at) => ({
      id: `call_${at}`,
      type: "function",
      function: { name: "sessions_send", arguments: JSON.stringify(input) },
    }));
    return (request.body.stream === true ? streamed : whole)(calls)(request, response);
  };
}

const whole = (calls) =>
  json(200, { id: "x", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message: { role: "assistant", content: null, tool_calls: calls }, finish_reason: "tool_calls" }], usage: USAGE });

const streamed = (calls) =>
  events((req) => [
    chunk(req, { role: "assistant", content: "" }),
    ...calls.map((call, index) => chunk(req, { tool_calls: [{ index, ...call }] })),
    chunk(req, {}, "tool_calls"),
    { ...chunk(req, {}), choices: [], usage: USAGE },
    "[DONE]",
  ]);
