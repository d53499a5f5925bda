// A gateway whose models break in every way, or call tools, for the tests of official
// SDKs: a client asks for a model and gets what its name says, through either wire.
//
// Run as a program, it prints `{ base_url, secret_key, breaks, … }` as one line once
// it is ready, and runs until its input ends.
import { once } from "node:events";
import { events } from "./behaviours.mjs";
import { DIALECTS } from "./dialects.mjs";
import { BEFORE_THE_FIRST_BYTE, good, IN_A_STREAM, IN_A_WHOLE_ANSWER } from "./faults.mjs";
import { Models } from "./models.mjs";

/** The calls that a model of `tools` makes, both at once. */
export const CALLS = [
  { id: "call_a1", name: "get_weather", input: { city: "Köln", days: [1, 2], note: 'say "hi"\n' } },
  { id: "call_b2", name: "get_time", input: { city: "東京" } },
];

/** Breaks that the SDKs' own parsers see differently; the rest is held in `tests/workers`. */
const BEFORE = ["a_reset", "a_web_page", "a_web_page_called_a_stream", "an_error_object_with_status_200", "an_empty_body"];

/**
 * Starts it; whoever does calls `stop()`.
 *
 * - `breaks`: models whose streams break after the first words;
 * - `early`: models that break before them, streamed or not;
 * - `whole`: models whose answers in one piece break;
 * - `good`: models that answer as they should;
 * - `tools`: models that make `CALLS`, and, told the results, answer with JSON of what reached them.
 */
export async function startScripted() {
  const models = new Models();
  const lists = { breaks: [], early: [], whole: [], good: [], tools: [] };
  for (const dialect of Object.values(DIALECTS)) {
    const add = (list, name, behaviour) => lists[list].push(models.add(dialect, `${list}-${name}`, behaviour));
    for (const [name, make] of Object.entries(IN_A_STREAM)) add("breaks", name, make(dialect));
    if (dialect.splitsCalls !== false) {
      add("breaks", "a_cut_within_a_call", events((request) => dialect.calls(request, CALLS).slice(0, -2)));
      add("breaks", "a_cut_after_the_last_call", events((request) => dialect.calls(request, CALLS)));
      add("tools", "two_at_once", callThenAnswer(dialect));
    }
    for (const name of BEFORE) add("early", name, BEFORE_THE_FIRST_BYTE[name](dialect));
    for (const [name, make] of Object.entries(IN_A_WHOLE_ANSWER)) {
      if (name !== "no_finish_reason" || dialect.tellsReason !== false) add("whole", name, make(dialect));
    }
    add("good", "answer", good(dialect));
  }
  // The platform's models that take tools speak OpenAI's form behind the binding.
  lists.tools.push(models.add({ ...DIALECTS.openai, kind: "workers_ai" }, "tools-two_at_once", callThenAnswer(DIALECTS.openai)));
  const stack = await models.start({ vars: { IDLE_TIMEOUT_MS: "1500" } });
  return {
    base_url: `${stack.url}/v1`,
    secret_key: models.alone.key,
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

if (process.argv[1] === import.meta.filename) {
  const { models: _models, stop, ...described } = await startScripted();
  process.stdout.write(`${JSON.stringify({ ...described, calls: CALLS })}\n`);
  process.stdin.resume();
  await once(process.stdin, "end");
  await stop();
  process.exit();
}
