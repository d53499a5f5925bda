// Runs the three Workers of a local stack on workerd, with D1, KV, queues and Durable Objects on disk.
//
// `wrangler dev` always opens workerd's inspector and its debug port, through which every program of this
// machine could read the Workers' secrets, and prints all variables. This program opens neither and prints
// none. The first Worker listens on the given port of the loopback interface; the others are its services.
//
// Arguments, as JSON: `{ configs, port, storage, inspectorPort }`. Prints one line when it is ready, reloads
// when a bundle or a configuration changes, and runs until SIGTERM or SIGINT.
import { readdirSync, readFileSync, watch } from "node:fs";
import path from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions } from "wrangler";

const LOOPBACK = "127.0.0.1";

/** The time without changes before a reload: a rebuild replaces several files. */
const RELOAD_DELAY_MS = 200;

/** The time between two checks of the runtime. */
const CHECK_INTERVAL_MS = 500;

const MODULE_TYPES = { ".js": "ESModule", ".wasm": "CompiledWasm" };

/** The entry, which workerd expects first, then the other modules of its folder. */
function modules(entry) {
  const folder = path.dirname(entry);
  const files = readdirSync(folder).map((file) => path.join(folder, file));
  return [entry, ...files.filter((file) => file !== entry)]
    .filter((file) => path.extname(file) in MODULE_TYPES)
    .map((file) => ({ type: MODULE_TYPES[path.extname(file)], path: file }));
}

function workerOptions(config, port) {
  const { workerOptions: options, main } = unstable_getMiniflareWorkerOptions(config);
  // The modules are listed, so wrangler's rules to find them are not needed.
  const { modulesRules: _rules, rootPath: _root, ...rest } = options;
  return {
    ...rest,
    name: JSON.parse(readFileSync(config, "utf8")).name,
    modules: modules(main),
    modulesRoot: path.dirname(main),
    // Requests go to the Worker itself, not through the tools' own Worker, which serves `/cdn-cgi/…`.
    ...(port === undefined ? {} : { unsafeDirectSockets: [{ host: LOOPBACK, port }] }),
  };
}

function runtimeOptions({ configs, port, storage, inspectorPort }) {
  return convertV4MiniflareOptions({
    host: LOOPBACK,
    port: 0,
    // Otherwise it requests this machine's location over the network.
    cf: false,
    log: new Log(LogLevel.WARN),
    logRequests: false,
    // Where `wrangler d1 --persist-to` stores the same database.
    resourcePersistencePath: path.join(storage, "v3"),
    ...(inspectorPort === null ? {} : { inspectorPort, inspectorHost: LOOPBACK }),
    unsafeHandleRuntimeRestart: () => console.log("workerd has exited unexpectedly; it is running again."),
    workers: configs.map((config, index) => workerOptions(config, index === 0 ? port : undefined)),
  });
}

/** Calls `change` some time after the last change of a file in `folders`. */
function watchFolders(folders, change) {
  let timer;
  for (const folder of new Set(folders)) {
    watch(folder, () => {
      clearTimeout(timer);
      timer = setTimeout(change, RELOAD_DELAY_MS);
    });
  }
}

const settings = JSON.parse(process.argv[2]);
const runtime = new Miniflare(runtimeOptions(settings));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => void runtime.dispose().finally(() => process.exit(0)));
}
await runtime.ready;
console.log("The Workers are running.");

// workerd is started again after a crash. If that fails too, the stack can't continue.
setInterval(() => runtime.ready.catch(fail), CHECK_INTERVAL_MS);

function fail(error) {
  console.error(`workerd has exited and can't be started again: ${error.message}`);
  process.exit(1);
}

const bundles = settings.configs.map((config) => path.dirname(JSON.parse(readFileSync(config, "utf8")).main));
watchFolders([...settings.configs.map((config) => path.dirname(config)), ...bundles], async () => {
  try {
    await runtime.setOptions(runtimeOptions(settings));
    console.log("The Workers are reloaded.");
  } catch (error) {
    console.error(`The Workers can't be reloaded: ${error.message}`);
  }
});
