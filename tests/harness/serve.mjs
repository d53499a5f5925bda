// Runs a stack in a separate process, for tests that kill it.
//
// Takes its options as JSON in the first argument, prints `{ urls, tenants }` as
// one line when it is ready, and runs until it is killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { watch } from "./contract.mjs";
import { startStack } from "./stack.mjs";

/**
 * Starts a stack in its own process group, with its storage in the folder `persist`; `kill()`
 * kills all of its processes at once, as a power cut would. `settings` apply to every tenant.
 */
export async function startStackProcess({ persist, upstream, tenants, gateways = 1, clockAheadMs, settings }) {
  const options = { persist, tenants, fresh: tenants > 0, provider: upstream.provider(), gateways, clockAheadMs, settings };
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), JSON.stringify(options)], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  const line = await Promise.race([
    firstJson(child.stdout),
    closed.then(([code]) => Promise.reject(new Error(`the stack ended with code ${code} before it was ready`))),
  ]);
  const { urls, tenants: seeded } = JSON.parse(line);
  watch(urls);
  return {
    urls,
    url: urls[0],
    tenants: seeded,
    async kill() {
      process.kill(-child.pid, "SIGKILL");
      await closed;
    },
  };
}

/** The first line of JSON; wrangler may print other lines before it. */
async function firstJson(output) {
  for await (const line of readline.createInterface({ input: output })) if (line.startsWith("{")) return line;
  return new Promise(() => {}); // the caller also waits for the child's end
}

async function main({ provider, settings, ...options }) {
  const stack = await startStack({ ...options, upstream: { provider: () => provider } });
  if (settings) for (const { tenant_id } of stack.tenants) await stack.updateSettings(tenant_id, settings);
  process.stdout.write(`${JSON.stringify({ urls: stack.urls, tenants: stack.tenants })}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(JSON.parse(process.argv[2]));
