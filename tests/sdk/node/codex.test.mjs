// The Codex CLI from npm, headless: it reads a file, edits it and runs a command through the gateway,
// as a scripted provider tells it to.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { DIALECTS } from "../../harness/dialects.mjs";
import { events } from "../../harness/behaviours.mjs";
import { startStack } from "../../harness/stack.mjs";

const MODEL = "scripted-model";
const CODEX = createRequire(import.meta.url).resolve("@openai/codex/bin/codex.js");
const { openai } = DIALECTS;
let stack;
let folder;
before(async () => {
  stack = await startStack();
  folder = await mkdtemp(join(tmpdir(), "clawless-codex-"));
});
after(async () => {
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** The commands that the model runs, one a turn. */
const COMMANDS = ["cat greeting.txt", "sed -i 's/world/Clawless/' greeting.txt", "wc -c < greeting.txt"];

/** Calls the next command until all have results, then answers with what the last one printed. */
function task(request, response) {
  const results = Object.values(openai.results(request.body));
  if (results.length < COMMANDS.length) {
    const call = { id: `call_${results.length}`, name: "exec_command", input: { cmd: COMMANDS[results.length] } };
    return events((req) => [...openai.calls(req, [call]), ...openai.closing(req, { finish: "tool_calls" })])(request, response);
  }
  const text = `Done: ${JSON.stringify(results.map((result) => String(result)))}`;
  return events((req) => [...openai.opening(req, text.match(/.{1,20}/gsu)), ...openai.closing(req)])(request, response);
}

test("codex_reads_a_file_edits_it_and_runs_a_command", async () => {
  const [home, work] = [join(folder, "home"), join(folder, "work")];
  await Promise.all([mkdir(home), mkdir(work)]);
  await writeFile(join(work, "greeting.txt"), "Hello, world!\n");
  // Hosted tools do not exist here, so that the search is switched off.
  const config = `
model = "${MODEL}"
model_provider = "clawless"
web_search = "disabled"
[model_providers.clawless]
name = "Clawless"
base_url = "${stack.url}/v1"
env_key = "CLAWLESS_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`;
  await writeFile(join(home, "config.toml"), config);
  stack.upstream.always(task);
  const run = promisify(execFile)(
    process.execPath,
    [CODEX, "exec", "--skip-git-repo-check", "--json", "--dangerously-bypass-approvals-and-sandbox", "Greet Clawless in greeting.txt and count its bytes."],
    { cwd: work, env: { PATH: process.env.PATH, HOME: home, CODEX_HOME: home, CLAWLESS_KEY: stack.key }, timeout: 120_000 },
  );
  run.child.stdin.end();
  const { stdout } = await run;
  const lines = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  assert.equal(await readFile(join(work, "greeting.txt"), "utf8"), "Hello, Clawless!\n");
  const items = lines.filter(({ type }) => type === "item.completed").map(({ item }) => item);
  const answer = items.findLast(({ type }) => type === "agent_message");
  assert.match(answer.text, /^Done: .*Hello, world!.*17/s, stdout);
  assert.equal(lines.at(-1).type, "turn.completed", stdout);
  assert.equal(stack.upstream.requests.length, COMMANDS.length + 1, "no request was repeated");
});
