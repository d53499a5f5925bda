// Stands in for wrangler and the platform behind it. It accepts the arguments that wrangler accepts, keeps an account in
// a file, and refuses what the platform refuses: bindings to what does not exist, missing secrets, unknown versions.
//
// STAND_IN_FILE names the file: `{ accepted, account, calls, interruption }`. `interruption` is `{ call, moment }`: at this
// call, the program that runs the stand-in is killed `before` or `after` the call takes effect.
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArguments } from "./arguments.mjs";

const FILE = process.env.STAND_IN_FILE;
const record = JSON.parse(readFileSync(FILE, "utf8"));
const { account } = record;
const argv = process.argv.slice(2);

class Refusal extends Error {}

function refuse(message) {
  throw new Refusal(message);
}

function interrupt(moment) {
  const { interruption } = record;
  if (interruption?.call === record.calls.length && interruption.moment === moment) {
    delete record.interruption;
    save();
    process.kill(process.ppid, "SIGKILL");
    process.exit(1);
  }
}

function save() {
  writeFileSync(FILE, JSON.stringify(record));
}

/** A time that grows with each call, as the platform's does. */
function now() {
  account.clock = (account.clock ?? 0) + 1;
  return new Date(Date.UTC(2026, 0, 1) + account.clock * 1000).toISOString();
}

function newId() {
  account.ids = (account.ids ?? 0) + 1;
  return `00000000-0000-4000-8000-${String(account.ids).padStart(12, "0")}`;
}

function worker(name) {
  return account.workers[name] ?? refuse("A request to the Cloudflare API failed.\nThis Worker does not exist on your account. [code: 10007]");
}

function report(event) {
  const file = process.env.WRANGLER_OUTPUT_FILE_PATH;
  if (file) appendFileSync(file, `${JSON.stringify({ type: "wrangler-session", version: 1 })}\n${JSON.stringify({ version: 1, ...event })}\n`);
}

function readConfig(options) {
  const file = options["--config"] ?? refuse("Missing entry-point to Worker script or to assets directory");
  return JSON.parse(readFileSync(file, "utf8"));
}

/** The platform's checks of an uploaded Worker. */
function checkUpload(config) {
  const { main } = config;
  const exists = (list, what, is) => {
    for (const item of list ?? []) if (!is(item)) refuse(`${what}: ${JSON.stringify(item)} does not exist`);
  };
  for (const file of [main, path.join(path.dirname(main), "index_bg.wasm")]) if (!existsSync(file)) refuse(`The entry-point file at "${file}" was not found.`);
  exists(config.d1_databases, "D1", ({ database_id: id }) => account.databases.some((it) => it.uuid === id));
  exists(config.kv_namespaces, "KV", ({ id }) => account.namespaces.some((it) => it.id === id));
  for (const { queue, dead_letter_queue: dead } of [...(config.queues?.producers ?? []), ...(config.queues?.consumers ?? [])]) {
    for (const name of [queue, dead]) if (name && !account.queues.includes(name)) refuse(`Queue "${name}" does not exist. To create it, run: wrangler queues create ${name}`);
  }
  exists(config.services, "Could not resolve service binding", ({ service }) => account.workers[service]);
  exists(config.durable_objects?.bindings, "Durable Objects", (it) => (it.script_name ? account.workers[it.script_name]?.classes.includes(it.class_name) : true));
}

/** Adds a version of a Worker, with the secrets of the one before. */
function upload(config, options) {
  checkUpload(config);
  const before = account.workers[config.name]?.versions.at(-1)?.secrets ?? {};
  const given = options["--secrets-file"] ? JSON.parse(readFileSync(options["--secrets-file"], "utf8")) : {};
  const secrets = { ...before, ...given };
  for (const name of config.secrets?.required ?? []) if (!(name in secrets)) refuse(`The following required secrets have not been set: ${name}`);
  account.workers[config.name] ??= { versions: [], deployments: [], classes: [] };
  const target = account.workers[config.name];
  target.classes = (config.migrations ?? []).flatMap((it) => it.new_sqlite_classes ?? []);
  target.routes = config.routes ?? [];
  const annotations = { "workers/tag": options["--tag"], "workers/message": options["--message"], "workers/triggered_by": "upload" };
  const version = { id: newId(), number: target.versions.length + 1, metadata: { created_on: now(), source: "wrangler" }, annotations, secrets, config };
  target.versions.push(version);
  return version;
}

function deployVersions(name, versions, message) {
  const known = worker(name).versions.map(({ id }) => id);
  for (const { version_id: id } of versions) if (!known.includes(id)) refuse(`Version ${id} not found`);
  const total = versions.reduce((sum, { percentage }) => sum + percentage, 0);
  if (total !== 100) refuse(`The specified traffic percentages add up to ${total}%, but must total exactly 100%.`);
  if (versions.length > 2) refuse("Too many versions selected.");
  worker(name).deployments.push({ id: newId(), created_on: now(), strategy: "percentage", versions, annotations: { "workers/message": message } });
}

function migrationFiles(options, database) {
  const config = readConfig(options);
  const found = config.d1_databases.find((it) => it.database_name === database);
  if (!found) refuse(`Couldn't find a D1 DB with the name or binding '${database}' in your wrangler.json file.`);
  const existing = account.databases.find(({ uuid }) => uuid === found.database_id) ?? refuse("The database was not found. [code: 7404]");
  const all = readdirSync(found.migrations_dir).filter((name) => name.endsWith(".sql")).sort();
  return { existing, missing: all.filter((name) => !existing.migrations.includes(name)) };
}

const print = (value) => console.log(typeof value === "string" ? value : JSON.stringify(value, null, 2));
const shown = ({ secrets: _secrets, config: _config, ...version }) => version;

const HANDLERS = {
  whoami: () => (account.isLoggedIn ? print({ loggedIn: true, authType: "API Token", accounts: account.accounts }) : (print({ loggedIn: false }), process.exit(1))),
  "d1 list": () => print(account.databases.map(({ uuid, name }) => ({ uuid, name }))),
  "d1 create": (_options, [name]) => {
    if (account.databases.some((it) => it.name === name)) refuse(`A database with the name ${name} already exists [code: 7502]`);
    account.databases.push({ uuid: newId(), name, migrations: [] });
    print(`✅ Successfully created DB '${name}'`);
  },
  "d1 migrations list": (options, [database]) => {
    const { missing } = migrationFiles(options, database);
    print(missing.length === 0 ? "✅ No migrations to apply!" : `Migrations to be applied:\n${missing.map((name) => `│ ${name} │`).join("\n")}`);
  },
  "d1 migrations apply": (options, [database]) => {
    const { existing, missing } = migrationFiles(options, database);
    existing.migrations.push(...missing);
  },
  "kv namespace list": () => print(account.namespaces),
  "kv namespace create": (_options, [title]) => {
    if (account.namespaces.some((it) => it.title === title)) refuse(`A KV namespace with the title "${title}" already exists.`);
    account.namespaces.push({ id: newId().replaceAll("-", ""), title });
  },
  "queues info": (_options, [name]) => (account.queues.includes(name) ? print(`Queue Name: ${name}`) : refuse(`Queue "${name}" does not exist. To create it, run: wrangler queues create ${name}`)),
  "queues create": (_options, [name]) => {
    if (account.queues.includes(name)) refuse(`Queue name '${name}' is already taken. [code: 11009]`);
    account.queues.push(name);
  },
  "deployments list": (options) => print(worker(options["--name"]).deployments.slice(-10)),
  "versions list": (options) => print(worker(options["--name"]).versions.slice(-10).map(shown)),
  "versions view": (options, [id]) => print(shown(worker(options["--name"]).versions.find((it) => it.id === id) ?? refuse(`Version ${id} not found`))),
  "secret list": (options) => print(Object.keys(worker(options["--name"]).versions.at(-1).secrets).map((name) => ({ name, type: "secret_text" }))),
  "secret put": (options, [name]) => {
    const value = readFileSync(0, "utf8").trimEnd();
    if (!value) refuse("The value is empty");
    const target = worker(options["--name"]);
    const last = target.versions.at(-1);
    const version = { ...last, id: newId(), metadata: { ...last.metadata, created_on: now() }, annotations: { "workers/triggered_by": "secret" }, secrets: { ...last.secrets, [name]: value } };
    target.versions.push(version);
    deployVersions(options["--name"], [{ version_id: version.id, percentage: 100 }]);
  },
  deploy: (options) => {
    const config = readConfig(options);
    const version = upload(config, options);
    deployVersions(config.name, [{ version_id: version.id, percentage: 100 }], options["--message"]);
    const targets = config.routes ? config.routes.map(({ pattern }) => pattern) : config.workers_dev ? [account.url] : [];
    report({ type: "deploy", worker_name: config.name, version_id: version.id, targets });
  },
  "versions upload": (options) => {
    const config = readConfig(options);
    worker(config.name);
    report({ type: "version-upload", worker_name: config.name, version_id: upload(config, options).id });
  },
  "versions deploy": (options, specs) => {
    const versions = specs.map((spec) => ({ version_id: spec.split("@")[0], percentage: Number.parseFloat(spec.split("@")[1]) }));
    deployVersions(options["--name"], versions, options["--message"]);
    report({ type: "version-deploy", worker_name: options["--name"] });
  },
  rollback: (options, [id]) => deployVersions(options["--name"], [{ version_id: id, percentage: 100 }], options["--message"]),
};

try {
  record.calls.push(argv);
  save();
  interrupt("before");
  const { command, options, positional } = parseArguments(record.accepted, argv);
  if (!account.isLoggedIn && command !== "whoami") refuse("In a non-interactive environment, it's necessary to set a CLOUDFLARE_API_TOKEN environment variable");
  if (command !== "whoami" && process.env.CLOUDFLARE_ACCOUNT_ID !== account.accounts[0].id) refuse("More than one account available but unable to select one in non-interactive mode.");
  if (account.failure?.command === command) refuse(account.failure.message);
  HANDLERS[command](options, positional);
  save();
  interrupt("after");
} catch (error) {
  if (!(error instanceof Refusal) && !/argument|command/.test(error.message)) throw error;
  console.error(`✘ [ERROR] ${error.message}`);
  interrupt("after");
  process.exit(1);
}
