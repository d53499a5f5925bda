// The arguments that the installed wrangler accepts, read from its own `--help`.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../harness/bundle.mjs";

const run = promisify(execFile);

/** The commands that a deployment, a rollback and a change of secrets may use. */
const COMMANDS = [
  "d1 create", "d1 list", "d1 migrations apply", "d1 migrations list", "deploy", "deployments list", "kv namespace create", "kv namespace list",
  "queues create", "queues info", "r2 bucket create", "r2 bucket info", "rollback", "secret list", "secret put", "versions deploy", "versions list",
  "versions upload", "versions view", "whoami",
];

/** Runs of `--help` at the same time. */
const AT_ONCE = 4;

/** Per command: `{ options: { "--json": "boolean", … }, required, maximum }`, where the last two count positional arguments. */
export async function acceptedArguments() {
  const accepted = {};
  const waiting = [...COMMANDS];
  const work = async () => {
    for (let command = waiting.shift(); command; command = waiting.shift()) accepted[command] = parseHelp(await help(command), command);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return accepted;
}

async function help(command) {
  const script = path.join(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", FORCE_COLOR: "0", COLUMNS: "400" };
  const { stdout } = await run(process.execPath, [script, ...command.split(" "), "--help"], { env });
  return stdout;
}

/** Parses a help text of yargs: the usage line, then options, each with its type in brackets. */
export function parseHelp(text, command) {
  const usage = text.split("\n").find((line) => line.startsWith(`wrangler ${command}`));
  if (!usage) throw new Error(`no usage of \`wrangler ${command}\` in its help:\n${text}`);
  const positional = usage.slice(`wrangler ${command}`.length).match(/<[^>]+>|\[[^\]]+\]/g) ?? [];
  const options = {};
  // An entry begins with its names; the lines below it continue its description.
  const entries = text.split(/\n(?= {2,6}(?:-\w, )?--[a-z])/).slice(1);
  for (const entry of entries) {
    const [, names] = /^ *((?:-\w, )?--[\w-]+(?:, --[\w-]+)*)/.exec(entry);
    const description = entry.split(/\n(?=\S)/)[0];
    const [, type = "string"] = /\[(boolean|string|number|array)\]/.exec(description) ?? [];
    for (const name of names.split(", ")) options[name] = type;
  }
  return {
    options,
    required: positional.filter((part) => part.startsWith("<")).length,
    maximum: positional.some((part) => part.includes("..")) ? Infinity : positional.length,
  };
}
