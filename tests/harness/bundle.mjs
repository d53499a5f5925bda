// Miniflare options for the prebuilt Workers, from their wrangler configurations.
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { unstable_getMiniflareWorkerOptions, unstable_splitSqlQuery } from "wrangler";

/** The repository's root. */
export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/** The folder of the bundles under test; the deployed ones by default. */
const BUILD = process.env.CLAWLESS_BUILD ?? "build/release";

/** The folder of the gateway built with the feature `test-faults`, whose extra routes inject faults. */
export const BUILD_WITH_FAULTS = process.env.CLAWLESS_FAULTS_BUILD ?? "build/test";

const MIGRATIONS = path.join(ROOT, "migrations");

// wrangler takes the secrets that a configuration requires from the environment. All Workers of a test share one.
process.env.SIGNING_KEY ??= randomBytes(32).toString("hex");

/**
 * Options for one Worker: its wrangler configuration with the modules of the bundle under
 * test. `without` lists bindings, variables and secrets to omit, `objectsOf` names the Worker whose Durable Objects it
 * uses instead of its own, `services` are further service bindings, `flags` are compatibility
 * flags, `clockAheadMs` wraps the bundle in test-clock.mjs, and `failingCache` in failing-cache.mjs. Only the Worker
 * with the default name consumes the queues.
 */
export function workerOptions(worker, { name, vars = {}, without = [], build = BUILD, objectsOf, clockAheadMs, failingCache = false, services = {}, flags = [] } = {}) {
  const { workerOptions: options } = unstable_getMiniflareWorkerOptions(path.join(ROOT, "wrangler", `${worker}.jsonc`));
  // Modules are listed below, so wrangler's module rules are not needed.
  // The AI binding needs the network; `services` can replace it.
  const { modulesRules: _rules, rootPath: _root, ai: _ai, ...rest } = options;
  const dir = bundleDir(build, worker);
  const allowed = (bindings = {}) => Object.fromEntries(Object.entries(bindings).filter(([binding]) => !without.includes(binding)));
  const objects = Object.entries(allowed(rest.durableObjects)).map(([binding, object]) => [binding, { ...object, scriptName: objectsOf ?? object.scriptName }]);
  return {
    ...rest,
    name: name ?? `clawless-${worker}`,
    compatibilityFlags: [...(rest.compatibilityFlags ?? []), ...flags],
    modules: [
      ...(clockAheadMs === undefined ? [] : [wrapper(dir, "test-clock.mjs", `globalThis.aheadMs = ${clockAheadMs};\n`)]),
      ...(failingCache ? [wrapper(dir, "failing-cache.mjs")] : []),
      ...modules(dir),
    ],
    modulesRoot: dir,
    bindings: allowed({ ...rest.bindings, ...vars }),
    d1Databases: allowed(rest.d1Databases),
    kvNamespaces: allowed(rest.kvNamespaces),
    serviceBindings: { ...allowed(rest.serviceBindings), ...services },
    durableObjects: Object.fromEntries(objects),
    ratelimits: allowed(rest.ratelimits),
    queueProducers: allowed(rest.queueProducers),
    queueConsumers: name === undefined || name === `clawless-${worker}` ? rest.queueConsumers : {},
    // Requests go directly to the Worker, without the proxy of the tools.
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
  };
}

function bundleDir(build, worker) {
  const dir = path.resolve(ROOT, build, worker);
  if (!existsSync(dir)) throw new Error(`No bundle in ${path.join(build, worker)}: build it first (cargo xtask build --help).`);
  return dir;
}

/** The migration files in their order: `{ name, statements }`. */
export function migrations() {
  return readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ name, statements: unstable_splitSqlQuery(readFileSync(path.join(MIGRATIONS, name), "utf8")) }));
}

/** A module of this folder that wraps the bundle's entry. */
function wrapper(dir, file, prefix = "") {
  const source = readFileSync(path.join(ROOT, "tests/harness", file), "utf8");
  return { type: "ESModule", path: path.join(dir, file.replace(".mjs", ".js")), contents: `${prefix}${source}` };
}

const MODULE_TYPES = { ".js": "ESModule", ".mjs": "ESModule", ".wasm": "CompiledWasm" };

function modules(dir) {
  const entry = path.join(dir, "index.js");
  return readdirSync(dir, { recursive: true })
    .map((file) => path.join(dir, file))
    .filter((file) => path.extname(file) in MODULE_TYPES)
    .sort((a, b) => Number(b === entry) - Number(a === entry)) // workerd's main module comes first
    .map((file) => ({ type: MODULE_TYPES[path.extname(file)], path: file }));
}
