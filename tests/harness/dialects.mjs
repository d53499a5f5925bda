// The wire formats of providers, as a scripted provider sends them. A fault looks different
// in each; what a client must see is the same.
import { chunk, openingEvents, PROVIDER_SECRET, USAGE } from "./behaviours.mjs";

/** A server-sent event with a name and JSON data. */
const namedEvent = (name, data) => ({ raw: `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n` });

/** `OpenAI`'s chat completions. */
const openai = {
  kind: "openai",

  /** A response body; `calls` are `{ id, name, input }`. */
  body: (request, { text = "Hello there.", calls = [], usage = true, finish = calls.length > 0 ? "tool_calls" : "stop" } = {}) => ({
    id: "chatcmpl-provider-1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: request.body.model,
    choices: [{
      index: 0,
      message: {
        role: "assistant",
        content: calls.length > 0 ? null : text,
        refusal: null,
        ...(calls.length > 0 ? { tool_calls: calls.map(({ id, name, input }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(input) } })) } : {}),
      },
      finish_reason: finish,
      logprobs: null,
    }],
    ...(usage ? { usage: USAGE } : {}),
  }),

  /** Response bodies without a message. */
  empty: (request) => [{ ...openai.body(request), choices: [] }, { ...openai.body(request), choices: null }, {}, []],

  /** The beginning of a stream: all of its text, without the end. */
  opening: (request, pieces) => openingEvents(request, pieces),

  /** Parallel tool calls; their arguments come in interleaved pieces if the wire format allows it. */
  calls: (request, calls) => {
    const delta = (index, call) => chunk(request, { tool_calls: [{ index, ...call }] });
    const halves = calls.map(({ input }) => JSON.stringify(input)).map((text) => [text.slice(0, text.length / 2), text.slice(text.length / 2)]);
    return [
      chunk(request, { role: "assistant", content: null }),
      ...calls.map(({ id, name }, index) => delta(index, { id, type: "function", function: { name, arguments: "" } })),
      ...[0, 1].flatMap((half) => halves.map((texts, index) => delta(index, { function: { arguments: texts[half] } }))),
    ];
  },

  /** The end of a stream, in order: the finish reason, the usage, the final event. */
  closing: (request, { usage = true, finish = "stop", last = true } = {}) => [
    chunk(request, {}, finish),
    ...(usage ? [{ ...chunk(request, {}), choices: [], usage: USAGE }] : []),
    ...(last ? ["[DONE]"] : []),
  ],

  // A response without a finish reason is complete if it ends with `[DONE]` or isn't streamed.
  requiresFinishReason: false,

  /** The end of a stream without a finish reason. */
  closingWithoutFinishReason: () => [],

  /** Events without content. */
  idleEvents: (request) => [{ raw: ": waiting\n\n" }, { ...chunk(request, {}), choices: [] }, { ...chunk(request, {}), choices: null }],

  /** One piece of text. */
  piece: (request, content) => chunk(request, { content }),

  /** A piece of the arguments of the first call of `calls`. */
  argumentsPiece: (request, text) => chunk(request, { tool_calls: [{ index: 0, function: { arguments: text } }] }),

  /** An event with truncated JSON. */
  malformed: () => `{"choices": [{"delta": ${PROVIDER_SECRET}`,

  /** An error event in a stream with status 200. */
  errorEvent: () => ({ error: { message: PROVIDER_SECRET, type: "server_error", code: "boom" } }),

  /** The body of an error response with this status. */
  refusal: () => ({ error: { message: PROVIDER_SECRET, type: "server_error", param: null, code: null } }),

  /** The tool results in a request, by call id. */
  results: ({ messages }) => Object.fromEntries(messages.filter(({ role }) => role === "tool").map((message) => [message.tool_call_id, message.content])),

  /** The tool calls in a request's history: `{ id, name, input }`. */
  previousCalls: ({ messages }) =>
    messages.flatMap((message) => message.tool_calls ?? []).map((call) => ({ id: call.id, name: call.function.name, input: JSON.parse(call.function.arguments) })),
};

const START = { id: "msg_1", type: "message", role: "assistant", content: [], model: "m", stop_reason: null, stop_sequence: null };
const REASONS = { stop: "end_turn", tool_calls: "tool_use", length: "max_tokens" };

/** Anthropic's Messages. */
const anthropic = {
  kind: "anthropic",

  body: (_request, { text = "Hello there.", calls = [], usage = true, finish = calls.length > 0 ? "tool_calls" : "stop" } = {}) => ({
    ...START,
    content: calls.length > 0 ? calls.map(({ id, name, input }) => ({ type: "tool_use", id, name, input })) : [{ type: "text", text }],
    stop_reason: finish && REASONS[finish],
    ...(usage ? { usage: { input_tokens: USAGE.prompt_tokens, output_tokens: USAGE.completion_tokens } } : {}),
  }),

  empty: () => [{}, [], { type: "error" }, { ...START }],

  opening: (_request, pieces, { usage = true } = {}) => [
    namedEvent("message_start", { message: { ...START, ...(usage ? { usage: { input_tokens: USAGE.prompt_tokens, output_tokens: 1 } } : {}) } }),
    namedEvent("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    { raw: 'event: ping\ndata: {"type": "ping"}\n\n' },
    ...pieces.map((text) => anthropic.piece(_request, text)),
  ],

  calls: (_request, calls) => [
    namedEvent("message_start", { message: { ...START, usage: { input_tokens: USAGE.prompt_tokens, output_tokens: 1 } } }),
    ...calls.flatMap(({ id, name, input }, index) => {
      const text = JSON.stringify(input);
      const delta = (partial_json) => namedEvent("content_block_delta", { index, delta: { type: "input_json_delta", partial_json } });
      return [
        namedEvent("content_block_start", { index, content_block: { type: "tool_use", id, name, input: {} } }),
        ...["", text.slice(0, text.length / 2), text.slice(text.length / 2)].map(delta),
        namedEvent("content_block_stop", { index }),
      ];
    }),
  ],

  closing: (_request, { usage = true, finish = "stop", last = true } = {}) => [
    ...(finish === "tool_calls" ? [] : [namedEvent("content_block_stop", { index: 0 })]),
    namedEvent("message_delta", {
      delta: { stop_reason: REASONS[finish], stop_sequence: null },
      ...(usage ? { usage: { output_tokens: USAGE.completion_tokens } } : {}),
    }),
    ...(last ? [namedEvent("message_stop", {})] : []),
  ],

  closingWithoutFinishReason: () => [namedEvent("content_block_stop", { index: 0 }), namedEvent("message_stop", {})],

  idleEvents: () => [{ raw: ": waiting\n\n" }, { raw: 'event: ping\ndata: {"type": "ping"}\n\n' }, namedEvent("an_unknown_event", { x: 1 })],

  piece: (_request, text) => namedEvent("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),

  argumentsPiece: (_request, partial_json) => namedEvent("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json } }),

  malformed: () => ({ raw: `event: content_block_delta\ndata: {"type": "content_block_delta", "delta": ${PROVIDER_SECRET}\n\n` }),

  errorEvent: () => namedEvent("error", { error: { type: "overloaded_error", message: PROVIDER_SECRET } }),

  refusal: (status) => ({ type: "error", error: { type: status === 529 ? "overloaded_error" : "api_error", message: PROVIDER_SECRET } }),

  results: ({ messages }) =>
    Object.fromEntries(blocks(messages, "tool_result").map((block) => [block.tool_use_id, typeof block.content === "string" ? block.content : block.content.map(({ text }) => text).join("")])),

  previousCalls: ({ messages }) => blocks(messages, "tool_use").map(({ id, name, input }) => ({ id, name, input })),
};

const PLATFORM_CODES = { 401: 5018, 403: 5018, 404: 5007, 529: 3040 };

/** Workers AI models in the platform's own format, through the AI binding. */
const workersAi = {
  kind: "workers_ai",
  // It has no address, reports no finish reason, and sends each call in one piece.
  hasAddress: false,
  reportsFinishReason: false,
  requiresFinishReason: false,
  splitsCalls: false,

  body: (_request, { text = "Hello there.", usage = true } = {}) => ({ response: text, ...(usage ? { usage: USAGE } : {}) }),

  empty: () => [{}, [], { response: null }, { usage: USAGE }],

  opening: (_request, pieces) => pieces.map((response) => ({ response, p: "abdefghi" })),

  closing: (_request, { usage = true } = {}) => [...(usage ? [{ response: "", usage: USAGE }] : []), "[DONE]"],

  closingWithoutFinishReason: () => [{ response: "", tool_calls: null }],

  idleEvents: () => [{ raw: ": waiting\n\n" }, { p: "abdefghi" }, { response: null, tool_calls: null }],

  piece: (_request, response) => ({ response }),

  malformed: () => `{"response": ${PROVIDER_SECRET}`,

  errorEvent: () => ({ internalCode: 3999, name: "InferenceUpstreamError", description: PROVIDER_SECRET }),

  // A 429 comes from a layer in front of the models and has no platform code.
  refusal: (status) => (status === 429 ? { errors: [{ message: PROVIDER_SECRET }] } : { internalCode: PLATFORM_CODES[status] ?? 3999, name: "E", description: PROVIDER_SECRET }),
};

function blocks(messages, type) {
  return messages.flatMap(({ content }) => (Array.isArray(content) ? content : [])).filter((block) => block.type === type);
}

/** Every wire format. Absent flags have the values of OpenAI's dialect. */
export const DIALECTS = { openai, anthropic, workers_ai: workersAi };
