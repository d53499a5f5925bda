// A gateway whose models break in every way, or call tools, for the tests of official
// SDKs: a client asks for a model and gets what its name says, through either wire.
//
// Run as a program, it prints `{ base_url, secret_key, breaks, … }` as one line once
// it is ready, and runs until its input ends.
import { once } from "node:events";
import { chunk, events } from "./behaviours.mjs";
import { DIALECTS } from "./dialects.mjs";
import { BEFORE_THE_FIRST_BYTE, good, IN_A_STREAM, IN_A_WHOLE_ANSWER } from "./faults.mjs";
import { Models } from "./models.mjs";

/** The calls that a model of `tools` makes, both at once. */
export const CALLS = [
  { id: "call_a1", name: "get_weather", input: { city: "Köln", days: [1, 2], note: 'say "hi"\n' } },
  { id: "call_b2", name: "get_time", input: { city: "東京" } },
];

/** The calls that a model of `custom` makes, both at once: of a custom tool, and of a function. */
export const CUSTOM = { id: "call_sql", name: "run_sql", input: 'SELECT "größe"\n} FROM t;' };
const BESIDE = CALLS[1];

/** The call that a model of `older` makes. */
export const OLDER = { name: "get_weather", input: { city: "Köln", note: 'say "hi"\n' } };

/** Breaks that the SDKs' own parsers see differently; the rest is held in `tests/workers`. */
const BEFORE = ["a_reset", "a_web_page", "a_web_page_called_a_stream", "an_error_object_with_status_200", "an_empty_body"];

/**
 * Starts it; whoever does calls `stop()`.
 *
 * - `breaks`: models whose streams break after the first words;
 * - `early`: models that break before them, streamed or not;
 * - `whole`: models whose answers in one piece break;
 * - `good`: models that answer as they should;
 * - `tools`: models that make `CALLS`, and, told the results, answer with JSON of what reached them;
 * - `custom`: the same with `CUSTOM`, which one wire has;
 * - `older`: the same with `OLDER`, asked for by `functions`;
 * - `acts`: models that ask the server for the time, and then say so. Only `acting_key` has its tools.
 */
export async function startScripted() {
  const models = new Models();
  const lists = { breaks: [], early: [], whole: [], good: [], tools: [], custom: [], older: [], acts: [] };
  for (const dialect of Object.values(DIALECTS)) {
    const add = (list, name, behaviour) => lists[list].push(models.add(dialect, `${list}-${name}`, behaviour));
    for (const [name, make] of Object.entries(IN_A_STREAM)) add("breaks", name, make(dialect));
    if (dialect.splitsCalls !== false) {
      add("breaks", "a_cut_within_a_call", events((request) => dialect.calls(request, CALLS).slice(0, -2)));
      add("breaks", "a_cut_after_the_last_call", events((request) => dialect.calls(request, CALLS)));
      add("tools", "two_at_once", callThenAnswer(dialect));
      add("acts", "time_now", actThenAnswer(dialect));
    }
    for (const name of BEFORE) add("early", name, BEFORE_THE_FIRST_BYTE[name](dialect));
    for (const [name, make] of Object.entries(IN_A_WHOLE_ANSWER)) {
      if (name !== "no_finish_reason" || dialect.needsReason !== false) add("whole", name, make(dialect));
    }
    add("good", "answer", good(dialect));
  }
  // The platform's models that take tools speak OpenAI's form behind the binding.
  const platform = { ...DIALECTS.openai, kind: "workers_ai" };
  lists.tools.push(models.add(platform, "tools-two_at_once", callThenAnswer(DIALECTS.openai)));
  lists.custom.push(models.add(DIALECTS.openai, "custom-beside_a_function", callCustom));
  lists.older.push(
    models.add(DIALECTS.openai, "older-call", callOlder),
    models.add(DIALECTS.anthropic, "older-call", callInTools(DIALECTS.anthropic)),
    models.add(platform, "older-call", callInTools(DIALECTS.openai)),
  );
  const stack = await models.start({ vars: { IDLE_TIMEOUT_MS: "1500" } });
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

function callThenAnswer(dialect) {
  return (request, response) => {
    const results = dialect.results(request.body);
    if (Object.keys(results).length > 0) {
      const text = JSON.stringify({ recalled: dialect.recalled(request.body), results });
      const said = (asked) => [...dialect.opening(asked, text.match(/.{1,9}/gsu)), ...dialect.closing(asked)];
      return events(said)(request, response);
    }
    return events((asked) => [...dialect.calls(asked, CALLS), ...dialect.closing(asked, { finish: "tool_calls" })])(request, response);
  };
}

const openai = DIALECTS.openai;

/** Says a JSON text in pieces, to the end. */
const tell = (dialect, request, told) => {
  const pieces = JSON.stringify(told).match(/.{1,9}/gsu);
  return [...dialect.opening(request, pieces), ...dialect.closing(request)];
};

/** Calls a custom tool, its input in pieces, beside a function. */
function callCustom(request, response) {
  const { messages } = request.body;
  const results = openai.results(request.body);
  if (Object.keys(results).length > 0) {
    const calls = messages.flatMap((message) => message.tool_calls ?? []);
    const recalled = calls.filter(({ type }) => type === "custom").map(({ id, custom }) => ({ id, ...custom }));
    return events((asked) => tell(openai, asked, { recalled, results, tools: request.body.tools }))(request, response);
  }
  const delta = (call) => chunk(request, { tool_calls: [call] });
  const { id, name, input } = CUSTOM;
  return events((asked) => [
    chunk(asked, { role: "assistant", content: null }),
    delta({ index: 0, id, type: "custom", custom: { name, input: "" } }),
    delta({ index: 1, id: BESIDE.id, type: "function", function: { name: BESIDE.name, arguments: JSON.stringify(BESIDE.input) } }),
    ...[input.slice(0, 9), input.slice(9)].map((piece) => delta({ index: 0, custom: { input: piece } })),
    ...openai.closing(asked, { finish: "tool_calls" }),
  ])(request, response);
}

/** Calls a function in the older form, on the wire that has it. */
function callOlder(request, response) {
  const { messages } = request.body;
  const results = messages.filter(({ role }) => role === "function").map(({ content }) => content);
  if (results.length > 0) {
    const recalled = messages.filter((message) => message.function_call).map(({ function_call: call }) => ({ name: call.name, input: JSON.parse(call.arguments) }));
    return events((asked) => tell(openai, asked, { recalled, results }))(request, response);
  }
  const text = JSON.stringify(OLDER.input);
  return events((asked) => [
    chunk(asked, { role: "assistant", content: null, function_call: { name: OLDER.name, arguments: "" } }),
    ...[text.slice(0, 9), text.slice(9)].map((piece) => chunk(asked, { function_call: { arguments: piece } })),
    ...openai.closing(asked, { finish: "function_call" }),
  ])(request, response);
}

/** The same on a wire that has tools alone. */
function callInTools(dialect) {
  return (request, response) => {
    const results = Object.values(dialect.results(request.body));
    if (results.length > 0) {
      const recalled = dialect.recalled(request.body).map(({ name, input }) => ({ name, input }));
      return events((asked) => tell(dialect, asked, { recalled, results }))(request, response);
    }
    const calls = [{ id: "call_o1", ...OLDER }];
    return events((asked) => [...dialect.calls(asked, calls), ...dialect.closing(asked, { finish: "tool_calls" })])(request, response);
  };
}

function actThenAnswer(dialect) {
  const call = { id: "call_s1", name: "time_now", input: {} };
  return (request, response) => {
    const [told] = Object.values(dialect.results(request.body));
    if (told === undefined) return events((asked) => [...dialect.calls(asked, [call]), ...dialect.closing(asked, { finish: "tool_calls" })])(request, response);
    const text = `It is ${JSON.parse(told).utc}.`;
    return events((asked) => [...dialect.opening(asked, text.match(/.{1,9}/gsu)), ...dialect.closing(asked)])(request, response);
  };
}

if (process.argv[1] === import.meta.filename) {
  const { models: _models, stop, ...described } = await startScripted();
  process.stdout.write(`${JSON.stringify({ ...described, calls: CALLS, custom_call: CUSTOM, older_call: OLDER })}\n`);
  process.stdin.resume();
  await once(process.stdin, "end");
  await stop();
  process.exit();
}
