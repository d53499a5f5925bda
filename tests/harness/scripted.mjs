// A gateway with scripted models for the tests of official SDKs: models whose responses break,
// and models that call tools, over every wire format.
//
// As a program it prints `{ base_url, secret_key, breaks, … }` as one line when it is
// ready, and runs until its standard input ends.
import { once } from "node:events";
import { chunk, events, json } from "./behaviours.mjs";
import { DIALECTS } from "./dialects.mjs";
import { converse } from "./conversations.mjs";
import { BEFORE_THE_FIRST_BYTE, good, IN_A_STREAM, IN_A_WHOLE_RESPONSE } from "./faults.mjs";
import { Models } from "./models.mjs";

/** The parallel calls of the models of `tools`. */
export const CALLS = [
  { id: "call_a1", name: "get_weather", input: { city: "Köln", days: [1, 2], note: 'say "hi"\n' } },
  { id: "call_b2", name: "get_time", input: { city: "東京" } },
];

/** The calls of the models of `custom`, both in one response: a custom tool and a function. */
export const CUSTOM = { id: "call_sql", name: "run_sql", input: 'SELECT "größe"\n} FROM t;' };
const FUNCTION_CALL = CALLS[1];

/** The call of the models of `legacy`, in the format of `functions`. */
export const LEGACY = { name: "get_weather", input: { city: "Köln", note: 'say "hi"\n' } };

/** Early faults that SDK parsers can treat differently; `tests/workers` covers the others. */
const BEFORE = ["a_reset", "a_web_page", "a_web_page_with_the_type_of_a_stream", "an_error_object_with_status_200", "an_empty_body"];

/**
 * Starts the gateway; the caller must call `stop()`.
 *
 * - `breaks`: models whose streams break after the first text;
 * - `early`: models that fail before the first byte, streamed or not;
 * - `whole`: models whose non-streamed responses break;
 * - `good`: models that respond without a fault;
 * - `tools`: models that make `CALLS` and then respond with JSON of the calls and results received;
 * - `custom`: the same with `CUSTOM`, which one wire format supports;
 * - `legacy`: the same with `LEGACY`, for requests with `functions`;
 * - `acts`: models that call the server tool `time_now` and then respond with its result; only
 *   the tenant of `acting_key` has this tool;
 * - `thinks`: models that reason before they respond, one with signatures and one without; they respond
 *   with JSON of the reasoning that a request returns to them;
 * - `converse`: models for conversations in sessions, one per wire format (conversations.mjs).
 */
export async function startScripted() {
  const models = new Models();
  const lists = { breaks: [], early: [], whole: [], good: [], tools: [], custom: [], legacy: [], acts: [], thinks: [], converse: [] };
  for (const dialect of Object.values(DIALECTS)) {
    const add = (list, name, behaviour) => lists[list].push(models.add(dialect, `${list}-${name}`, behaviour));
    for (const [name, make] of Object.entries(IN_A_STREAM)) add("breaks", name, make(dialect));
    if (dialect.splitsCalls !== false) {
      add("breaks", "a_cut_within_a_call", events((request) => dialect.calls(request, CALLS).slice(0, -2)));
      add("breaks", "a_cut_after_the_last_call", events((request) => dialect.calls(request, CALLS)));
      add("tools", "two_at_once", callThenRespond(dialect));
      add("acts", "time_now", callServerToolThenRespond(dialect));
    }
    for (const name of BEFORE) add("early", name, BEFORE_THE_FIRST_BYTE[name](dialect));
    for (const [name, make] of Object.entries(IN_A_WHOLE_RESPONSE)) {
      if (name !== "no_finish_reason" || dialect.requiresFinishReason !== false) add("whole", name, make(dialect));
    }
    add("good", "answer", good(dialect));
  }
  // Workers AI models that support tools use OpenAI's format behind the binding.
  const platform = { ...DIALECTS.openai, kind: "workers_ai" };
  lists.tools.push(models.add(platform, "tools-two_at_once", callThenRespond(DIALECTS.openai)));
  for (const [kind, dialect] of [["openai", openai], ["anthropic", DIALECTS.anthropic], ["workers_ai", openai]]) {
    lists.converse.push(models.add({ ...dialect, kind }, "converse-all", converse(dialect)));
  }
  lists.thinks.push(models.add(DIALECTS.anthropic, "thinks-signed", thinkSigned), models.add(DIALECTS.openai, "thinks-unsigned", thinkUnsigned));
  lists.custom.push(models.add(DIALECTS.openai, "custom-beside_a_function", callCustom));
  lists.legacy.push(
    models.add(DIALECTS.openai, "legacy-call", callLegacy),
    models.add(DIALECTS.anthropic, "legacy-call", callInTools(DIALECTS.anthropic)),
    models.add(platform, "legacy-call", callInTools(DIALECTS.openai)),
  );
  const stack = await models.start({ vars: { IDLE_TIMEOUT_MS: "1500", KEEP_ALIVE_MS: "300", EARLY_HEAD_MS: "1000" } });
  await stack.updateSettings(models.chained.tenant, { tools: ["time_now"] });
  return {
    base_url: `${stack.url}/v1`,
    secret_key: models.alone.key,
    acting_key: models.chained.key,
    ...lists,
    models,
    stop: () => models.stop(),
  };
}

function callThenRespond(dialect) {
  return (request, response) => {
    const results = dialect.results(request.body);
    const hasResults = Object.keys(results).length > 0;
    const text = hasResults ? JSON.stringify({ recalled: dialect.previousCalls(request.body), results }) : undefined;
    if (request.body.stream !== true) return json(200, dialect.body(request, hasResults ? { text } : { calls: CALLS }))(request, response);
    if (hasResults) {
      const list = (req) => [...dialect.opening(req, text.match(/.{1,9}/gsu)), ...dialect.closing(req)];
      return events(list)(request, response);
    }
    return events((req) => [...dialect.calls(req, CALLS), ...dialect.closing(req, { finish: "tool_calls" })])(request, response);
  };
}

const openai = DIALECTS.openai;

/** The events of a complete stream whose text is this value as JSON. */
const jsonEvents = (dialect, request, value) => {
  const pieces = JSON.stringify(value).match(/.{1,9}/gsu);
  return [...dialect.opening(request, pieces), ...dialect.closing(request)];
};

/** Calls a custom tool, its input in pieces, and a function. */
function callCustom(request, response) {
  const { messages } = request.body;
  const results = openai.results(request.body);
  if (Object.keys(results).length > 0) {
    const calls = messages.flatMap((message) => message.tool_calls ?? []);
    const recalled = calls.filter(({ type }) => type === "custom").map(({ id, custom }) => ({ id, ...custom }));
    return events((req) => jsonEvents(openai, req, { recalled, results, tools: request.body.tools }))(request, response);
  }
  const delta = (call) => chunk(request, { tool_calls: [call] });
  const { id, name, input } = CUSTOM;
  return events((req) => [
    chunk(req, { role: "assistant", content: null }),
    delta({ index: 0, id, type: "custom", custom: { name, input: "" } }),
    delta({ index: 1, id: FUNCTION_CALL.id, type: "function", function: { name: FUNCTION_CALL.name, arguments: JSON.stringify(FUNCTION_CALL.input) } }),
    ...[input.slice(0, 9), input.slice(9)].map((piece) => delta({ index: 0, custom: { input: piece } })),
    ...openai.closing(req, { finish: "tool_calls" }),
  ])(request, response);
}

/** Calls a function in the legacy format, on the wire format that has it. */
function callLegacy(request, response) {
  const { messages } = request.body;
  const results = messages.filter(({ role }) => role === "function").map(({ content }) => content);
  if (results.length > 0) {
    const recalled = messages.filter((message) => message.function_call).map(({ function_call: call }) => ({ name: call.name, input: JSON.parse(call.arguments) }));
    return events((req) => jsonEvents(openai, req, { recalled, results }))(request, response);
  }
  const text = JSON.stringify(LEGACY.input);
  return events((req) => [
    chunk(req, { role: "assistant", content: null, function_call: { name: LEGACY.name, arguments: "" } }),
    ...[text.slice(0, 9), text.slice(9)].map((piece) => chunk(req, { function_call: { arguments: piece } })),
    ...openai.closing(req, { finish: "function_call" }),
  ])(request, response);
}

/** The same on a wire format that only has tools. */
function callInTools(dialect) {
  return (request, response) => {
    const results = Object.values(dialect.results(request.body));
    if (results.length > 0) {
      const recalled = dialect.previousCalls(request.body).map(({ name, input }) => ({ name, input }));
      return events((req) => jsonEvents(dialect, req, { recalled, results }))(request, response);
    }
    const calls = [{ id: "call_o1", ...LEGACY }];
    return events((req) => [...dialect.calls(req, calls), ...dialect.closing(req, { finish: "tool_calls" })])(request, response);
  };
}

/** The reasoning of the models of `thinks`, and the signature of one of them. */
export const THOUGHT = "First, I think.";
export const SIGNATURE = "c2lnbmVk==";

/** Reasons in a signed block, then responds with the blocks of reasoning in the request. */
function thinkSigned(request, response) {
  const blocks = request.body.messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  const text = JSON.stringify({ recalled: blocks.filter(({ type }) => type === "thinking"), thinking: request.body.thinking });
  const [start] = DIALECTS.anthropic.opening(request, []);
  const event = (type, data) => ({ raw: `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n` });
  const delta = (index, piece) => event("content_block_delta", { index, delta: piece });
  return events((req) => [
    start,
    event("content_block_start", { index: 0, content_block: { type: "thinking", thinking: "", signature: "" } }),
    ...THOUGHT.match(/.{1,6}/gu).map((thinking) => delta(0, { type: "thinking_delta", thinking })),
    delta(0, { type: "signature_delta", signature: SIGNATURE }),
    event("content_block_stop", { index: 0 }),
    event("content_block_start", { index: 1, content_block: { type: "text", text: "" } }),
    delta(1, { type: "text_delta", text }),
    event("content_block_stop", { index: 1 }),
    ...DIALECTS.anthropic.closing(req).slice(1),
  ])(request, response);
}

/** Reasons in the member of a delta, then responds with the reasoning in the request. */
function thinkUnsigned(request, response) {
  const recalled = request.body.messages.flatMap(({ reasoning_content: text }) => (text === undefined ? [] : [text]));
  return events((req) => [
    chunk(req, { role: "assistant", content: null }),
    ...THOUGHT.match(/.{1,6}/gu).map((reasoning_content) => chunk(req, { reasoning_content })),
    chunk(req, { content: JSON.stringify({ recalled }) }),
    ...openai.closing(req),
  ])(request, response);
}

function callServerToolThenRespond(dialect) {
  const call = { id: "call_s1", name: "time_now", input: {} };
  return (request, response) => {
    const [result] = Object.values(dialect.results(request.body));
    const whole = (fields) => json(200, dialect.body(request, fields))(request, response);
    const isStream = request.body.stream === true;
    if (result === undefined && !isStream) return whole({ calls: [call] });
    if (result === undefined) return events((req) => [...dialect.calls(req, [call]), ...dialect.closing(req, { finish: "tool_calls" })])(request, response);
    const text = `It is ${JSON.parse(result).utc}.`;
    if (!isStream) return whole({ text });
    return events((req) => [...dialect.opening(req, text.match(/.{1,9}/gsu)), ...dialect.closing(req)])(request, response);
  };
}

if (process.argv[1] === import.meta.filename) {
  const { models: _models, stop, ...described } = await startScripted();
  process.stdout.write(`${JSON.stringify({ ...described, calls: CALLS, thought: THOUGHT, signature: SIGNATURE, custom_call: CUSTOM, legacy_call: LEGACY })}\n`);
  process.stdin.resume();
  await once(process.stdin, "end");
  await stop();
  process.exit();
}
