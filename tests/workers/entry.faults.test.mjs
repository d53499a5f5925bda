// Fault 27, before our Rust has seen the request: the entry of every Worker around code that dies at once.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { ROOT } from "../harness/bundle.mjs";
import { expectError } from "../harness/client.mjs";

/** The files of the entry; workerd's main module comes first. */
const ENTRY = readdirSync(path.join(ROOT, "workers/entry")).sort((a, b) => Number(b === "index.js") - Number(a === "index.js"));

/** In place of worker-build's module: it traps as Rust does, in a task of its own, or fails by itself. */
const DYING = `import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint {
  fetch(request) {
    if (request.url.endsWith("/fails")) throw new TypeError("secret words");
    queueMicrotask(() => { throw new WebAssembly.RuntimeError("secret words"); });
    return new Promise(() => {});
  }
}`;

describe("fault 27: a Worker that dies before a request has its id", () => {
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

  test("answers_in_the_envelope_under_a_fresh_id_and_tells_nothing", async () => {
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
      const made = [...id.slice(4, 14)].reduce((time, digit) => time * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(digit), 0);
      assert.ok(Math.abs(Date.now() - made) < 60_000, `${id} begins with the time`);
    }
    assert.equal(new Set(ids).size, ids.length);
  });

  test("answers_a_HEAD_without_a_body", async () => {
    const response = await fetch(`${url}/health`, { method: "HEAD" });
    assert.equal(response.status, 500);
    assert.equal(await response.text(), "");
    assert.match(response.headers.get("x-request-id"), /^req_/);
  });
});
