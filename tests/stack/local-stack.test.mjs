// What other users and programs of a machine can learn from a local stack, and what happens when one of its
// processes dies. Starts a stack of its own with `cargo xtask dev --upstream`.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { ROOT } from "../harness/bundle.mjs";
import { until } from "../harness/wait.mjs";

const XTASK = process.env.CLAWLESS_XTASK ?? path.join(ROOT, "target/debug/xtask");
const UPSTREAM_KEY = "sk-canary-of-the-upstream-0123456789";
const state = mkdtempSync(path.join(tmpdir(), "clawless-stack-"));
const onLinux = { skip: process.platform !== "linux" && "reads /proc" };

let upstream;
let access;
let output;

before(async () => {
  upstream = await startUpstream();
  leaveOpenState();
  output = await xtask("dev", "--detach", "--port", "0", "--upstream", `http://127.0.0.1:${upstream.address().port}/v1`, "--upstream-key", UPSTREAM_KEY, ...(process.env.CLAWLESS_BUILD === "build/dev" ? [] : ["--release"]));
  access = JSON.parse(readFileSync(path.join(state, "dev.json"), "utf8"));
});

after(async () => {
  await xtask("down");
  upstream?.close();
  rmSync(state, { recursive: true });
});

/** A model server that accepts its key only. */
async function startUpstream() {
  const server = http.createServer((request, response) => {
    const isAuthorised = request.headers.authorization === `Bearer ${UPSTREAM_KEY}`;
    const choices = [{ index: 0, message: { role: "assistant", content: "Hello." }, finish_reason: "stop" }];
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const bodies = { "/v1/models": { data: [{ id: "m" }] }, "/v1/chat/completions": { id: "1", object: "chat.completion", created: 1, model: "m", choices, usage } };
    const body = bodies[request.url];
    response.writeHead(isAuthorised ? (body ? 200 : 404) : 401, { "content-type": "application/json" });
    request.resume().on("end", () => response.end(JSON.stringify(body ?? { error: { message: "no" } })));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

/** Files of an earlier version, which other users could read. */
function leaveOpenState() {
  for (const folder of ["logs/wrangler", "state/v3/d1"]) {
    mkdirSync(path.join(state, folder), { recursive: true });
    writeFileSync(path.join(state, folder, "old"), "");
  }
  for (const file of [".", ...readdirSync(state, { recursive: true })]) chmodSync(path.join(state, file), 0o777);
}

/** Runs a command of the repository on this state and returns its output; throws if it fails. */
async function xtask(...args) {
  const child = spawn(XTASK, [...args, "--state", state], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  const [code] = await once(child, "close");
  assert.equal(code, 0, text);
  return text;
}

const files = () => readdirSync(state, { recursive: true }).map((file) => path.join(state, file));

const logs = () => files().filter((file) => file.startsWith(path.join(state, "logs")) && lstatSync(file).isFile());

const complete = (query = "") =>
  fetch(`${access.base_url}/chat/completions${query}`, {
    method: "POST",
    headers: { authorization: `Bearer ${access.secret_key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "Hello!" }] }),
  });

/** The processes of the stack: those that it recorded, and their children. */
function processes() {
  const pids = new Set(access.pids.map(String));
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  for (let known = 0; known < pids.size; ) {
    known = pids.size;
    for (const pid of all) if (pids.has(parent(pid))) pids.add(pid);
  }
  return [...pids];
}

function parent(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1).split(" ")[1];
  } catch {
    return undefined; // it has exited
  }
}

const commandLine = (pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");

const workerd = () => processes().find((pid) => path.basename(commandLine(pid)[0]) === "workerd");

/** The listening sockets of the stack, as `{ address, port }` with the address as the kernel prints it. */
function sockets() {
  const inodes = new Set();
  for (const pid of processes()) {
    for (const descriptor of readdirSync(`/proc/${pid}/fd`)) {
      const target = readlinkSync(`/proc/${pid}/fd/${descriptor}`, { throwIfNoEntry: false });
      const inode = /^socket:\[(\d+)\]$/.exec(target ?? "")?.[1];
      if (inode) inodes.add(inode);
    }
  }
  const LISTEN = "0A";
  const rows = ["tcp", "tcp6"].flatMap((name) => readFileSync(`/proc/net/${name}`, "utf8").trim().split("\n").slice(1));
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN && inodes.has(fields[9]))
    .map(([, local]) => ({ address: local.split(":")[0], port: Number.parseInt(local.split(":")[1], 16) }));
}

test("all_state_is_readable_by_its_owner_only_also_that_of_an_earlier_version", async () => {
  assert.equal((await complete()).status, 200);
  const open = [state, ...files()].filter((file) => (lstatSync(file).mode & 0o777) !== (lstatSync(file).isDirectory() ? 0o700 : 0o600));
  assert.deepEqual(open, []);
  assert.ok(files().some((file) => file.endsWith(".sqlite")), "the database is there");
});

test("the_demo_page_and_its_public_key_work_at_once", async () => {
  assert.match(access.demo_url, /^http:\/\/127\.0\.0\.1:\d+\/demo#cl_pk_/);
  const page = await fetch(access.demo_url);
  assert.match(await page.text(), /pages\/demo\.js/);
  assert.equal((await fetch(new URL("/widget/v1/loader.js", access.demo_url))).status, 200);
  const { origin } = new URL(access.demo_url);
  for (const [from, status] of [[origin, 200], [origin.replace("127.0.0.1", "localhost"), 200], ["https://example.org", 403]]) {
    const headers = { authorization: `Bearer ${access.public_key}`, "content-type": "application/json", origin: from };
    const session = await fetch(`${access.base_url}/widget/session`, { method: "POST", headers, body: "{}" });
    assert.equal(session.status, status, `${from}: ${await session.text()}`);
  }
});

test("no_log_contains_a_secret", async () => {
  assert.equal((await complete(`?key=${access.secret_key}`)).status < 500, true);
  assert.equal((await fetch(`${access.base_url}/models?api_key=${access.secret_key}`)).status, 401);
  const gateway = JSON.parse(readFileSync(path.join(state, "wrangler/gateway.json"), "utf8"));
  const secrets = { upstream: UPSTREAM_KEY, key: access.secret_key, token: access.admin_token, signing: gateway.vars.SIGNING_KEY };
  assert.ok(output.includes(access.secret_key), "the key is printed once");
  for (const log of logs()) {
    const text = readFileSync(log, "utf8");
    for (const [name, secret] of Object.entries(secrets)) {
      assert.ok(secret.length > 20 && !text.includes(secret), `${path.relative(state, log)} contains the ${name}`);
    }
  }
  assert.ok(logs().some((log) => log.endsWith("workers.log") && readFileSync(log, "utf8").includes("request served")));
  // All users of a machine can read command lines.
  if (process.platform === "linux") for (const pid of processes()) assert.ok(!commandLine(pid).join(" ").includes(UPSTREAM_KEY));
});

test("it_listens_on_the_loopback_interface_only_without_inspector_debug_port_and_explorer", onLinux, async () => {
  const flags = commandLine(workerd()).filter((argument) => /^--(inspector-addr|debug-port)/.test(argument));
  assert.deepEqual(flags, []);
  const listening = sockets();
  assert.ok(listening.some(({ port }) => port === Number(new URL(access.base_url).port)), "the gateway's port");
  for (const { address, port } of listening) {
    assert.equal(address, "0100007F", `port ${port} is bound to 127.0.0.1`);
    for (const route of ["/json", "/json/list", "/json/version", "/cdn-cgi/explorer", "/cdn-cgi/local/explorer", "/cdn-cgi/local/explorer/api", "/cdn-cgi/local/scheduled", "/cdn-cgi/mf/scheduled"]) {
      const response = await fetch(`http://127.0.0.1:${port}${route}`);
      assert.ok(response.status >= 400, `${route} on port ${port}: ${response.status}`);
      assert.ok(!(await response.text()).includes("webSocketDebuggerUrl"));
    }
  }
});

test("a_foreign_origin_or_a_rebound_host_name_needs_a_key", async () => {
  const { port } = new URL(access.base_url);
  for (const [route, status] of [["/v1/models", 401], ["/v1/sessions", 401], ["/admin/tenants", 401], ["/health", 200]]) {
    const headers = { host: "evil.example", origin: "http://evil.example", cookie: "a=b" };
    const request = http.get({ host: "127.0.0.1", port, path: route, headers });
    const [response] = await once(request, "response");
    response.resume();
    assert.equal(response.statusCode, status, route);
    assert.equal(response.headers["access-control-allow-credentials"], undefined);
  }
});

test("workerd_is_started_again_after_it_was_killed", onLinux, async () => {
  const killed = workerd();
  process.kill(Number(killed), "SIGKILL");
  await until(async () => (await complete().catch(() => undefined))?.status === 200 && workerd() !== killed, "an answer of another workerd", { timeoutMs: 30_000 });
  assert.match(readFileSync(path.join(state, "logs/workers.log"), "utf8"), /workerd has exited unexpectedly; it is running again/);
});

// The last test: it ends the stack.
test("the_stack_ends_with_a_message_when_its_runtime_is_killed", async () => {
  const [, runtime] = access.pids;
  process.kill(runtime, "SIGKILL");
  await until(() => !existsSync(path.join(state, "dev.json")), "the end of the stack", { timeoutMs: 30_000 });
  // The reason is the last thing that the command prints, after the record of the stack is removed.
  const reason = /the Workers' runtime exited unexpectedly \(signal: 9 \(SIGKILL\)\), so the stack is stopped\. Its log is .*workers\.log/;
  await until(() => reason.test(readFileSync(path.join(state, "logs/dev.log"), "utf8")), "the reason in the log", { timeoutMs: 30_000 });
  await assert.rejects(fetch(access.base_url));
});
