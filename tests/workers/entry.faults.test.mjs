// Fault 27 before the Rust code handles a request: the Workers' JavaScript entry around a module that crashes.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { ROOT } from "../harness/bundle.mjs";
import { expectError } from "../harness/client.mjs";

/** The files of the entry; workerd's main module comes first. */
const ENTRY = readdirSync(path.join(ROOT, "workers/entry"))
  .filter((file) => file !== "gateway.js")
  .sort((a, b) => Number(b === "index.js") - Number(a === "index.js"));

/** Replaces worker-build's module: it traps like Rust, in a separate task, or throws an error. */
const DYING = `import { WorkerEntrypoint } from "cloudflare:workers";
globalThis.__worker_init_state = { criticalError: false, instanceId: 0 };
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/fails")) throw new TypeError("secret words");
    queueMicrotask(() => { throw new WebAssembly.RuntimeError("secret words"); });
    return new Promise(() => {});
  }
}`;

describe("fault 27: a Worker that crashes before a request has an id", () => {
  let runtime;
  let url;
  before(async () => {
    runtime = new Miniflare(
      convertV4MiniflareOptions({
        cf: false,
        handleStructuredLogs: () => {},
        modulesRoot: "/",
        modules: [
          ...ENTRY.map((file) => ({ type: "ESModule", path: `/${file}`, contents: readFileSync(path.join(ROOT, "workers/entry", file), "utf8") })),
          { type: "ESModule", path: "/worker.js", contents: DYING },
        ],
        compatibilityDate: "2026-11-01",
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      }),
    );
    await runtime.ready;
    url = (await runtime.unsafeGetDirectURL()).origin;
  });
  after(() => runtime.dispose());

  test("responds_in_the_envelope_with_a_new_id_and_no_details", async () => {
    const ids = [];
    for (const path of ["/v1/dies", "/v1/fails", "/dies"]) {
      const response = await fetch(`${url}${path}`, { method: "POST", body: "{}" });
      assert.equal(response.headers.get("access-control-allow-origin"), path.startsWith("/v1/") ? "*" : null);
      const error = await expectError(response, 500, { code: "internal_error" });
      assert.ok(!error.message.includes("secret"), error.message);
      ids.push(response.headers.get("x-request-id"));
    }
    for (const id of ids) {
      assert.match(id, /^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
      const created = [...id.slice(4, 14)].reduce((time, digit) => time * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(digit), 0);
      assert.ok(Math.abs(Date.now() - created) < 60_000, `${id} starts with the time`);
    }
    assert.equal(new Set(ids).size, ids.length);
  });

  test("responds_to_HEAD_without_a_body", async () => {
    const response = await fetch(`${url}/health`, { method: "HEAD" });
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "");
    assert.match(response.headers.get("x-request-id"), /^req_/);
  });
});
