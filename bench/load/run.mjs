// Runs a load, shows its progress on standard error and prints a report: `cargo xtask load`.
//
// The argument is JSON: `{ users, durationMs, thinkMs, tenants, soak, json, url, adminToken, model, roots }`. Without `url`
// it starts a stack of its own from the bundles in `CLAWLESS_BUILD`. The token comes from `CLAWLESS_ADMIN_TOKEN`.
// Exits with 1 if an invariant is broken, no call succeeded, or a soak's memory grew.
import { setTimeout as sleep } from "node:timers/promises";
import { check } from "./invariants.mjs";
import { assess, processesNamed, residentMiB } from "./memory.mjs";
import { progressLine, report, text } from "./report.mjs";
import { connect, startOwn } from "./target.mjs";
import { runUsers } from "./users.mjs";

const SAMPLES = 240;

const options = JSON.parse(process.argv[2]);
const target = options.url ? await connect({ ...options, adminToken: process.env.CLAWLESS_ADMIN_TOKEN }) : await startOwn(options);
let code = 1;
try {
  code = await load();
} finally {
  await target.stop();
}
process.exit(code);

async function load() {
  const calls = [];
  const samples = [];
  const started = Date.now();
  let isStopped = false;
  process.once("SIGINT", () => (isStopped = true)); // the users finish, then the checks run
  const isOver = () => isStopped || Date.now() - started >= options.durationMs;
  const users = runUsers(target, { users: options.users, thinkMs: options.thinkMs, isOver }, calls);
  const watched = Promise.all([showProgress(calls, started, isOver), sampleMemory(samples, started, isOver)]);
  await users;
  const elapsedMs = Date.now() - started;
  await watched;
  process.stderr.write("Checking what was stored and booked…\n");
  const { violations, totals } = await check(target, calls, target.provided);
  const result = report({ options, calls, elapsedMs, memory: assess(samples), violations, totals, knowsProvider: target.provided !== null });
  process.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : text(result));
  return result.passed ? 0 : 1;
}

/** On a terminal one line that changes each second, else a line every ten. */
async function showProgress(calls, started, isOver) {
  const isTerminal = process.stderr.isTTY;
  for (let at = 0; !isOver(); at = calls.length) {
    await sleep(Math.min(isTerminal ? 1_000 : 10_000, options.durationMs));
    const line = progressLine(calls, at, Date.now() - started, options.durationMs);
    process.stderr.write(isTerminal ? `\r\x1b[K${line}` : `${line}\n`);
  }
  if (isTerminal) process.stderr.write("\n");
}

async function sampleMemory(samples, started, isOver) {
  const interval = Math.max(250, options.durationMs / SAMPLES);
  while (!isOver()) {
    const mib = residentMiB(processesNamed("workerd", target.roots));
    if (mib !== null) samples.push([Date.now() - started, mib]);
    await sleep(interval);
  }
}
