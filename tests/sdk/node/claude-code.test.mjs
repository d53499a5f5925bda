// Claude Code, unmodified and headless, against models of both wire formats: it reads a file, edits it,
// runs a command and answers.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { events, json } from "../../harness/behaviours.mjs";
import { DIALECTS } from "../../harness/dialects.mjs";
import { startStack } from "../../harness/stack.mjs";

/** The program of this machine, which the package would link when it is installed. */
const PROGRAM = join(dirname(createRequire(import.meta.url).resolve(`@anthropic-ai/claude-code-${process.platform}-${process.arch}/package.json`)), "claude");

const WIRES = { openai: DIALECTS.openai, anthropic: DIALECTS.anthropic };
const LIMITS = { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { tokens_per_month: 1_000_000_000 } };

let stack;
let folder;
before(async () => {
  stack = await startStack({
    vars: (upstream) => {
      const models = (wire) => [{ id: `${wire}-coder`, context: 200_000, max_output: 64_000, roles: ["code"] }];
      const providers = Object.keys(WIRES).map((kind) => upstream.provider({ name: kind, kind, models: models(kind) }));
      return { PROVIDERS: JSON.stringify(providers), MODEL_ALIASES: JSON.stringify({ "claude-haiku-*": "openai-coder" }) };
    },
  });
  await stack.updateSettings(stack.tenants[0].tenant_id, LIMITS);
  folder = await mkdtemp(join(tmpdir(), "claude-code-"));
});
after(async () => {
  await stack?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** The calls of the task, in order. */
const steps = (file) => [
  { name: "Read", input: { file_path: file } },
  { name: "Edit", input: { file_path: file, old_string: "Hello", new_string: "Goodbye" } },
  { name: "Bash", input: { command: `cat ${file}`, description: "Show the file" } },
];

/** A model that makes the calls of the task one after another, and then quotes the last result. */
function coder(dialect, file) {
  const respond = (answer) => (request, response) => {
    if (request.body.stream !== true) return json(200, dialect.body(request, answer))(request, response);
    const { text, calls } = answer;
    return events((req) => calls
      ? [...dialect.calls(req, calls), ...dialect.closing(req, { finish: "tool_calls" })]
      : [...dialect.opening(req, text.match(/.{1,7}/gsu)), ...dialect.closing(req)])(request, response);
  };
  return (request, response) => {
    const results = Object.values(dialect.results(request.body));
    const call = (request.body.tools ?? []).length > 0 ? steps(file)[results.length] : undefined;
    const answer = call ? { calls: [{ id: `toolu_step${results.length + 1}`, ...call }] } : { text: `Done: ${results.at(-1) ?? "nothing"}` };
    return respond(answer)(request, response);
  };
}

async function run(model, prompt) {
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ANTHROPIC_BASE_URL: stack.url,
    ANTHROPIC_AUTH_TOKEN: stack.key,
    ANTHROPIC_MODEL: model,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
  };
  const args = ["-p", prompt, "--output-format", "json", "--allowedTools", "Read,Edit,Bash", "--permission-mode", "acceptEdits"];
  const child = spawn(PROGRAM, args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (output[name] += text));
  const [code] = await once(child, "exit");
  assert.equal(code, 0, `${output.stdout}\n${output.stderr}`);
  return JSON.parse(output.stdout);
}

for (const [wire, dialect] of Object.entries(WIRES)) {
  test(`a_task_is_done_with_a_model_of_${wire}`, { timeout: 120_000 }, async () => {
    const file = join(folder, `${wire}.txt`);
    await writeFile(file, "Hello world\n");
    stack.upstream.reset();
    stack.upstream.always(coder(dialect, file));
    const served = stack.logs.length;
    const outcome = await run(`${wire}-coder`, `In ${file}, replace Hello by Goodbye, then show the file.`);
    assert.equal(await readFile(file, "utf8"), "Goodbye world\n");
    assert.equal(outcome.is_error, false, JSON.stringify(outcome));
    assert.equal(outcome.result, "Done: Goodbye world");
    assert.ok(outcome.usage.output_tokens > 0, JSON.stringify(outcome.usage));
    const failed = stack.logs.slice(served).filter(({ message }) => /"status":[45]\d\d/u.test(message));
    assert.deepEqual(failed, [], "no request failed");
  });
}
