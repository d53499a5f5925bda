// A model that does what it is told, for tests of messages between sessions.
import { answerOrStream, chunk, events, json, USAGE } from "./behaviours.mjs";

/** What a user says to have the model call `sessions_send`, once for each of these arguments. */
export const send = (...calls) => `SEND ${JSON.stringify(calls)}`;

/** What a message from session `from` looks like to the model. */
export const introduced = (from, text) => `[Message from session \`${from}\` of this account]\n\n${text}`;

/**
 * Calls `sessions_send` where the last user says so, also where a message says so; tells what the tools
 * told; and answers anything else with `re: …`. `meanwhile` may hold an answer back, or give another
 * behaviour in its place: it is given the last user's text, as it was meant, or what is to be told.
 */
export function obedient({ meanwhile = async () => {} } = {}) {
  return async (request, response) => {
    const { messages } = request.body;
    const last = messages.at(-1);
    if (last.role === "tool") {
      const told = [];
      for (let at = messages.length - 1; messages[at].role === "tool"; at -= 1) told.unshift(messages[at].content);
      const content = `told: ${told.join(" | ")}`;
      const behave = (await meanwhile(content)) ?? answerOrStream({ content });
      return behave(request, response);
    }
    const text = last.content.replace(/^\[Message from [^\n]*\]\n\n/, "");
    const instead = await meanwhile(text);
    if (instead) return instead(request, response);
    if (!text.startsWith("SEND ")) return answerOrStream({ content: `re: ${text}` })(request, response);
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
  events((asked) => [
    chunk(asked, { role: "assistant", content: "" }),
    ...calls.map((call, index) => chunk(asked, { tool_calls: [{ index, ...call }] })),
    chunk(asked, {}, "tool_calls"),
    { ...chunk(asked, {}), choices: [], usage: USAGE },
    "[DONE]",
  ]);
