// The latency of one tenant while another one is at its limits: chat requests of the victim, alone and
// during each attack, in interleaved rounds. Prints one JSON object; `ratio` is the victim's p50 during
// the attack over its p50 alone.
//
// node_modules/.bin/node bench/isolation.mjs [rounds]
//
// Build first: `cargo xtask build --release`, and `cargo build -p clawless-seed` with CLAWLESS_SEED set to
// the program. `CLAWLESS_BUILD` names another folder of bundles.
import { setTimeout as sleep } from "node:timers/promises";
import { complete } from "../tests/harness/client.mjs";
import { addLongSession } from "../tests/harness/long-session.mjs";
import { openUnread } from "../tests/harness/raw-http.mjs";
import { startStack } from "../tests/harness/stack.mjs";

const ROUNDS = Number(process.argv[2] ?? 3);
const REQUESTS = 40;
const EXPORTS = 55;
const LISTS = 30;

const stack = await startStack({ tenants: 2 });
const [attacker, victim] = stack.tenants;
await addLongSession(stack, attacker.tenant_id, "long", { count: 100, bytes: 400_000 });

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The victim's latencies in milliseconds. */
async function measure() {
  const latencies = [];
  for (let count = 0; count < REQUESTS; count += 1) {
    const started = performance.now();
    await complete(stack, {}, { key: victim.secret_key });
    latencies.push(performance.now() - started);
  }
  return latencies;
}

/** Exports that no client reads. */
async function unreadExports(isRunning) {
  const head = `GET /v1/sessions/long/export HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: Bearer ${attacker.secret_key}`;
  const opened = [];
  for (let count = 0; count < EXPORTS; count += 1) opened.push(await openUnread(stack.url, head));
  while (isRunning()) await sleep(50);
  for (const { close } of opened) close();
}

/** Lists of long messages on many connections, each again at once, whatever `retry-after` says. */
async function longLists(isRunning, statuses) {
  const headers = { authorization: `Bearer ${attacker.secret_key}` };
  const loop = async () => {
    while (isRunning()) {
      const response = await fetch(`${stack.url}/v1/sessions/long/messages?limit=100`, { headers });
      await response.arrayBuffer();
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: LISTS }, loop));
}

/** Measures the victim while `attack` runs. */
async function during(attack, statuses) {
  let running = true;
  const attacking = attack(() => running, statuses);
  await sleep(1_000);
  const latencies = await measure();
  running = false;
  await attacking;
  return latencies;
}

const attacks = { unread_exports: unreadExports, long_lists: longLists };
const report = {};
await measure(); // warm up
for (const [name, attack] of Object.entries(attacks)) {
  const [alone, attacked, statuses] = [[], [], {}];
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(...(await measure()));
    attacked.push(...(await during(attack, statuses)));
    await sleep(3_000);
  }
  const [control, p50] = [median(alone), median(attacked)];
  report[name] = { control_ms: Number(control.toFixed(2)), p50_ms: Number(p50.toFixed(2)), ratio: Number((p50 / control).toFixed(2)), statuses };
}
console.log(JSON.stringify(report, null, 2));
await stack.stop();
