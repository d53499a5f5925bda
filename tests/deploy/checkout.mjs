// A clone of the repository with what a deployment reads, an account behind the stand-in for wrangler, and a gateway that
// answers the smoke test.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../harness/bundle.mjs";

const XTASK = process.env.CLAWLESS_XTASK ?? path.join(ROOT, "target/debug/xtask");
const STAND_IN = fileURLToPath(new URL("wrangler-stand-in.mjs", import.meta.url));
const WORKERS = ["gateway", "admin", "widget-server"];

/** The account of the login. */
export const ACCOUNT = "0123456789abcdef0123456789abcdef";

export class Checkout {
  #server;
  #accepted;
  dir = mkdtempSync(path.join(tmpdir(), "clawless-deploy-"));
  /** Requests that the gateway has received: `METHOD /path`. */
  requests = [];
  /** The tenants that the gateway has. */
  tenants = new Set();

  /** A new clone and an empty account. `accepted` are wrangler's arguments. */
  static async create(accepted) {
    const checkout = new Checkout();
    checkout.#accepted = accepted;
    const { dir } = checkout;
    for (const name of ["wrangler", "migrations", "package-lock.json", ".gitignore"]) cpSync(path.join(ROOT, name), path.join(dir, name), { recursive: true });
    symlinkSync(path.join(ROOT, "node_modules"), path.join(dir, "node_modules"));
    mkdirSync(path.join(dir, "xtask"));
    for (const worker of WORKERS) {
      const folder = path.join(dir, "build/release", worker);
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, "index.js"), "export class TenantLedger {}\nexport default { fetch: () => new Response() };\n");
      writeFileSync(path.join(folder, "worker.js"), "export {};\n");
      writeFileSync(path.join(folder, "index_bg.wasm"), Buffer.from("0061736d01000000", "hex"));
    }
    checkout.git("init", "--quiet");
    checkout.commit("Release one");
    await checkout.#serve();
    checkout.setAccount({ url: checkout.url, isLoggedIn: true, accounts: [{ id: ACCOUNT, name: "Example" }], databases: [], namespaces: [], queues: [], workers: {} });
    return checkout;
  }

  git(...args) {
    const identity = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"];
    return execFileSync("git", [...identity, ...args], { cwd: this.dir, encoding: "utf8" }).trim();
  }

  /** Commits all changes; returns the tag of the commit. */
  commit(message) {
    this.git("add", "--all");
    this.git("commit", "--quiet", "--allow-empty", "--message", message);
    return this.git("rev-parse", "HEAD").slice(0, 12);
  }

  read(file) {
    return readFileSync(path.join(this.dir, file), "utf8");
  }

  write(file, text) {
    mkdirSync(path.dirname(path.join(this.dir, file)), { recursive: true });
    writeFileSync(path.join(this.dir, file), text);
  }

  /** Replaces a text in a file once. */
  replace(file, from, to) {
    const text = this.read(file);
    if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
    this.write(file, text.replace(from, () => to));
  }

  get #file() {
    return path.join(this.dir, ".clawless/stand-in.json");
  }

  get #record() {
    return JSON.parse(readFileSync(this.#file, "utf8"));
  }

  get account() {
    return this.#record.account;
  }

  setAccount(account) {
    mkdirSync(path.dirname(this.#file), { recursive: true });
    writeFileSync(this.#file, JSON.stringify({ accepted: this.#accepted, account, calls: [] }));
  }

  /** Changes the account. */
  change(edit) {
    const record = this.#record;
    edit(record.account);
    writeFileSync(this.#file, JSON.stringify(record));
  }

  /** The calls of wrangler since the last run began. */
  get calls() {
    return this.#record.calls.map((argv) => argv.join(" ").replaceAll(`${this.dir}/`, ""));
  }

  /** The positions of the calls that change something, from 1. */
  get changes() {
    const isQuestion = (call) => /^(whoami|[\w -]*?\b(list|info|view))\b/.test(call);
    return this.calls.flatMap((call, index) => (isQuestion(call) ? [] : [index + 1]));
  }

  /** The commit that a Worker runs with the largest share. */
  running(worker) {
    const { versions, deployments } = this.account.workers[worker];
    const shares = deployments.at(-1).versions;
    const { version_id: id } = shares.toSorted((a, b) => b.percentage - a.percentage)[0];
    const version = versions.find((it) => it.id === id);
    return { commit: version.annotations["workers/tag"], secrets: version.secrets, shares: shares.map(({ percentage }) => percentage), version };
  }

  /** Runs xtask in this clone: `{ code, signal, out, err }`. `interruption` kills it at a call of wrangler. */
  async xtask(args, { interruption, input = "", env = {} } = {}) {
    const record = this.#record;
    writeFileSync(this.#file, JSON.stringify({ ...record, calls: [], interruption }));
    const child = spawn(XTASK, args, {
      cwd: this.dir,
      env: {
        ...process.env,
        CARGO_MANIFEST_DIR: path.join(this.dir, "xtask"),
        CLAWLESS_WRANGLER: STAND_IN,
        CLAWLESS_ADMIN_TOKEN: "",
        STAND_IN_FILE: this.#file,
        NO_COLOR: "1",
        ...env,
      },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {}).end(input);
    const [out, err] = [child.stdout, child.stderr].map((stream) => {
      const parts = [];
      stream.on("data", (part) => parts.push(part));
      return () => Buffer.concat(parts).toString();
    });
    const [code, signal] = await once(child, "close");
    return { code, signal, out: out(), err: err() };
  }

  /** The address that deployments of this clone are tested at. */
  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Answers what the smoke test asks; the health has the commit that the gateway of `production` runs. */
  async #serve() {
    const keys = new Map();
    const message = { role: "assistant", content: "Hello." };
    const answer = (request, url, body) => {
      const bearer = request.headers.authorization?.slice("Bearer ".length);
      const route = `${request.method} ${url.pathname}`;
      const token = this.account.workers["clawless-admin"]?.versions.at(-1).secrets.ADMIN_TOKEN;
      if (route === "GET /health") return [200, { status: "ok", dependencies: {}, ...(bearer === token ? { problems: [], build: { version: "0", commit: this.running("clawless-gateway").commit } } : {}) }];
      if (url.pathname.startsWith("/admin/")) {
        if (bearer !== token) return [401, { error: { message: "no" } }];
        if (route === "GET /admin/health") return [200, { build: { commit: this.running("clawless-admin").commit } }];
        if (route === "GET /admin/tenants") return [200, { data: [...this.tenants].map((id) => ({ id, name: this.names.get(id) })) }];
        if (route === "POST /admin/tenants") {
          const id = `ten_${this.names.size}`;
          this.tenants.add(id);
          this.names.set(id, body.name);
          return [201, { id }];
        }
        const [, tenant, , key] = url.pathname.slice("/admin/".length).split("/");
        if (request.method === "DELETE") return [this.tenants.delete(tenant) ? 200 : 404, {}];
        if (url.pathname.endsWith("/revoke")) return [keys.delete(key) ? 200 : 404, {}];
        keys.set("key_1", "cl_sk_1");
        return [201, { id: "key_1", key: "cl_sk_1" }];
      }
      if (![...keys.values()].includes(bearer)) return [401, { error: { message: "no" } }];
      if (route === "GET /v1/models") return [200, { data: [{ id: "m" }] }];
      if (url.pathname.endsWith("/messages")) return [200, { data: [{}, {}] }];
      if (body.stream) return [200, "data: {}\n\ndata: [DONE]\n\n"];
      return [200, { choices: [{ message }], usage: { total_tokens: 2 } }];
    };
    this.names = new Map();
    this.#server = http.createServer(async (request, response) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      const url = new URL(request.url, "http://gateway");
      this.requests.push(`${request.method} ${url.pathname}`);
      const text = Buffer.concat(parts).toString();
      const [status, body] = this.respond?.(request, url) ?? answer(request, url, text ? JSON.parse(text) : {});
      response.writeHead(status, { "content-type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));
    });
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  close() {
    this.#server.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
