// A complete stack for one test file: gateway, admin and widget-server on workerd,
// with D1 and KV, and a scripted upstream as the provider.
import { createHash, randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { AI_BINDING, aiBindingWorker } from "./ai.mjs";
import { migrations, workerOptions } from "./bundle.mjs";
import { watch } from "./contract.mjs";
import { unknownKey } from "./keys.mjs";
import { seedTenant } from "./seed.mjs";
import { startUpstream } from "./upstream.mjs";

const OTHER_LEDGER = "other-ledger";

/** The value of the secret `ADMIN_TOKEN` in every stack. */
export const BOOTSTRAP_TOKEN = "a-secret-of-the-deployment-for-its-first-operator";

function otherLedger(script) {
  const durableObjects = { LEDGER: { className: "TenantLedger", useSQLite: true } };
  return { name: OTHER_LEDGER, modules: true, script, compatibilityDate: "2026-11-01", durableObjects };
}

/**
 * Starts a stack and returns it; the caller must call `stop()`.
 *
 * - `tenants`: number of demo tenants to seed; their keys are in `stack.tenants`.
 * - `vars`: variables of the gateway that differ from its configuration, or a function of the upstream that returns them.
 * - `without`: bindings, variables and secrets to remove from the gateway.
 * - `admin`: the same for the admin Worker: `{ without, vars, failingCache }`; `stack.planCacheFault` plans the faults.
 * - `gateways`: number of gateway Workers that share D1 and KV.
 * - `persist`: the folder of D1 and KV; in memory if absent.
 * - `fresh`: whether to apply the migrations to a new database.
 * - `upstream`: an upstream that the caller owns, instead of a new one.
 * - `clockAheadMs`: how far the gateways' clock is ahead of the machine's; required by `stack.deliverAlarm`.
 * - `ledgerScript`: a module that replaces the gateway's ledger, for ledger faults.
 * - `ai`: whether the gateway has an AI binding; ai.mjs implements it and calls the upstream.
 * - `build`: the folder of the gateway's bundle, if it differs from that of the other Workers.
 */
export async function startStack({ tenants = 1, vars = {}, without = [], admin = {}, gateways = 1, persist, fresh = true, upstream: given, build, clockAheadMs, ledgerScript, ai = false } = {}) {
  const upstream = given ?? (await startUpstream());
  const logs = [];
  const names = Array.from({ length: gateways }, (_, index) => (index === 0 ? "clawless-gateway" : `clawless-gateway-${index + 1}`));
  const gatewayVars = { PROVIDERS: JSON.stringify([upstream.provider()]), ALLOW_PRIVATE_PROVIDERS: "true", ...(typeof vars === "function" ? vars(upstream) : vars) };
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port: 0,
      cf: false,
      handleStructuredLogs: (entry) => logs.push(entry),
      ...(persist ? { resourcePersistencePath: persist, defaultPersistRoot: persist } : {}),
      workers: [
        ...names.map((name, index) => workerOptions("gateway", { name, vars: gatewayVars, without, build, clockAheadMs, ...(ai ? AI_BINDING : {}), objectsOf: ledgerScript ? OTHER_LEDGER : index === 0 ? undefined : names[0] })),
        ...(ledgerScript ? [otherLedger(ledgerScript)] : []),
        ...(ai ? [aiBindingWorker(upstream)] : []),
        // Without the ledger the gateway exports no class for the admin Worker's binding.
        workerOptions("admin", { without: [...without.filter((binding) => binding === "LEDGER"), ...(admin.without ?? [])], vars: { ADMIN_TOKEN: BOOTSTRAP_TOKEN, ...admin.vars }, failingCache: admin.failingCache, objectsOf: ledgerScript ? OTHER_LEDGER : names[0] }),
        workerOptions("widget-server"),
      ],
    }),
  );
  const stack = new Stack(runtime, names, upstream, !given, logs);
  try {
    await stack.prepare({ tenants, fresh });
  } catch (error) {
    await stack.stop();
    throw error;
  }
  return stack;
}

class Stack {
  #runtime;
  #names;
  #ownsUpstream;
  /** The demo tenants: `{ tenant_id, secret_key, … }`. */
  tenants = [];
  /** The origin of each gateway. */
  urls = [];

  constructor(runtime, names, upstream, ownsUpstream, logs) {
    this.#runtime = runtime;
    this.#names = names;
    this.#ownsUpstream = ownsUpstream;
    this.upstream = upstream;
    /** The console output of the Workers: `{ level, message, … }`. */
    this.logs = logs;
  }

  /** The origin of the first gateway, without a trailing slash. */
  get url() {
    return this.urls[0];
  }

  /** The secret key of the first tenant. */
  get key() {
    return this.tenants[0].secret_key;
  }

  async prepare({ tenants, fresh }) {
    await this.#runtime.ready;
    for (const name of this.#names) this.urls.push((await this.#runtime.unsafeGetDirectURL(name)).origin);
    watch(this.urls);
    /** The stack's D1 database, the same object that the gateway is bound to. */
    this.db = await this.#database();
    if (fresh) await migrate(this.db);
    for (let index = 0; index < tenants; index += 1) {
      const tenant = await seedTenant(index);
      await execute(this.db, tenant.statements);
      this.tenants.push(tenant);
    }
  }

  /** The database through the gateway's binding, or through the admin Worker's if that is absent. */
  async #database() {
    const { DB } = await this.#runtime.getBindings(this.#names[0]);
    return this.#runtime.getD1Database("DB", DB ? this.#names[0] : "clawless-admin");
  }

  /** A token for the admin API. */
  get adminToken() {
    return this.tenants[0].admin_token;
  }

  /** Calls the admin API as an operator: `{ status, headers, body }`; a JSON body is parsed. */
  async admin(method, path, body, { token = this.adminToken, url = this.url, headers = {} } = {}) {
    const response = await fetch(`${url}/admin${path}`, {
      method,
      headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  }

  /** Sends an input to a tenant's ledger, as the admin Worker does, and returns the parsed response. */
  async callLedger(tenant, input) {
    const response = await (await this.#ledger(tenant)).fetch("http://ledger/", { method: "POST", body: JSON.stringify({ tenant, input }) });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`the ledger responded with ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  /** Delivers a tenant's alarm twice at the same time. Needs `clockAheadMs`. */
  async deliverAlarm(tenant) {
    const response = await (await this.#ledger(tenant)).fetch("http://alarm/", { method: "POST" });
    if (response.status !== 200) throw new Error(`the alarm failed: ${await response.text()}`);
  }

  /** Delivers the gateway's hourly cron trigger; returns the outcome. */
  async cron() {
    const worker = await this.#runtime.getWorker(this.#names[0]);
    return (await worker.scheduled({ cron: "17 * * * *" })).outcome;
  }

  /** Enqueues a body in the queue of messages between sessions. */
  async enqueue(body) {
    const queue = await this.#runtime.getQueueProducer("SENDS", this.#names[0]);
    await queue.send(body, { contentType: "text" });
  }

  /** Delivers these bodies to the gateway as one queue batch; returns the positions `{ acked, retried }`. */
  async deliverQueueBatch(bodies, queue = "clawless-sends") {
    const worker = await this.#runtime.getWorker(this.#names[0]);
    const messages = bodies.map((body, at) => ({ id: String(at), timestamp: new Date(), attempts: 1, body }));
    const { outcome, explicitAcks, retryMessages } = await worker.queue(queue, messages);
    if (outcome !== "ok") throw new Error(`the batch ended with ${outcome}`);
    return { acked: explicitAcks.map(Number).sort(), retried: retryMessages.map(({ msgId }) => Number(msgId)).sort() };
  }

  /** Evicts a tenant's ledger from memory. */
  evict(tenant) {
    return this.#runtime.unsafeEvictDurableObject(this.#names[0], "TenantLedger", { name: tenant });
  }

  /** Fetches a path of the object that replaces a tenant's ledger (`ledgerScript`). */
  async fetchLedger(tenant, path) {
    return (await this.#ledger(tenant)).fetch(`http://ledger${path}`);
  }

  async #ledger(tenant) {
    const namespace = await this.#runtime.getDurableObjectNamespace("LEDGER", this.#names[0]);
    return namespace.get(namespace.idFromName(tenant));
  }

  /** Sets a tenant's settings (an object or JSON text) in D1 only, and increments its version. */
  async updateSettings(tenant, settings) {
    const text = typeof settings === "string" ? settings : JSON.stringify(settings);
    await this.rows("UPDATE tenants SET settings = ?1, version = version + 1 WHERE id = ?2", text, tenant);
  }

  /** Waits until the database has `count` receipts of a tenant; returns them, oldest first. */
  async receipts(tenant, count, { timeoutMs = 15_000 } = {}) {
    for (const end = Date.now() + timeoutMs; ; await sleep(100)) {
      const found = await this.rows("SELECT * FROM receipts WHERE tenant_id = ?1 ORDER BY request_id", tenant);
      if (found.length === count) return found;
      if (found.length > count || Date.now() > end) throw new Error(`${found.length} receipts, expected ${count}`);
    }
  }

  /** The id of a tenant's first key. */
  async keyId(tenant) {
    const [{ id }] = await this.rows("SELECT id FROM api_keys WHERE tenant_id = ?1", tenant);
    return id;
  }

  /** Adds a secret key to a tenant: `{ key, keyId }`. */
  async addKey(tenant) {
    const key = unknownKey();
    const keyId = `key_${Array.from({ length: 26 }, () => "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[randomInt(32)]).join("").replace(/^./, "0")}`;
    const digest = createHash("sha256").update(key).digest("hex");
    await this.rows(
      "INSERT INTO api_keys (tenant_id, id, digest, kind, name, scopes, created_at) VALUES (?1, ?2, ?3, 'secret', 'another', '[\"chat\"]', 1)",
      tenant,
      keyId,
      digest,
    );
    return { key, keyId };
  }

  /** The gateways' cache, a KV namespace. */
  cache() {
    return this.#runtime.getKVNamespace("CACHE", this.#names[0]);
  }

  /** The names of all cache entries. */
  async cacheKeys() {
    return (await (await this.cache()).list()).keys.map(({ name }) => name);
  }

  /** Makes a call of the admin Worker's cache fail from now on: `error`, or `silent` without an answer; none repairs it. */
  async planCacheFault(call, kind = "error") {
    const cache = await this.cache();
    return call ? cache.put("test-fault", JSON.stringify({ call, kind })) : cache.delete("test-fault");
  }

  /** Writes copies of sessions `s0`, `s1`, … of a tenant to the cache, under the names that the gateway gives them. */
  async addCopies(tenant, count) {
    const cache = await this.cache();
    const part = (text) => `${text.length}:${text}`;
    for (let at = 0; at < count; at += 1) {
      await cache.put(["tenant", ...[tenant, "history", `s${at}`, "1"].map(part)].join("/"), "{}", { expirationTtl: 300 });
    }
  }

  /** Runs one query and returns its rows. */
  async rows(sql, ...parameters) {
    const { results } = await this.db.prepare(sql).bind(...parameters).all();
    return results;
  }

  /** The number of rows in each table; equal counts mean that nothing was stored in between. */
  async rowCounts() {
    const tables = await this.rows(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' ORDER BY name",
    );
    const counted = await this.db.batch(tables.map(({ name }) => this.db.prepare(`SELECT count(*) AS count FROM "${name}"`)));
    return Object.fromEntries(tables.map(({ name }, index) => [name, counted[index].results[0].count]));
  }

  async stop() {
    await this.#runtime.dispose();
    if (this.#ownsUpstream) await this.upstream.close();
  }
}

/** Applies every migration once, in order, each as one transaction, as wrangler does. */
export async function migrate(db) {
  for (const { statements } of migrations()) {
    await execute(db, statements).catch((error) => {
      // SQLite has no `ADD COLUMN IF NOT EXISTS`: such a statement is alone in its file, which wrangler applies once.
      if (statements.length > 1 || !/duplicate column name/.test(error.message)) throw error;
    });
  }
}

async function execute(db, statements) {
  await db.batch(statements.map((statement) => db.prepare(statement)));
}
