// The ledger's rows are written atomically: its script in a Durable Object with failing statements.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { ROOT } from "../harness/bundle.mjs";

const OBJECT = `
import { DurableObject } from "cloudflare:workers";
import { write } from "./rows.js";

export class Ledger extends DurableObject {
  async fetch(request) {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS ledger (key TEXT PRIMARY KEY)");
    const failed = [];
    for (const [put, rows, remove, keys] of await request.json()) {
      try {
        write(this.ctx.storage, put, rows ?? undefined, remove, keys ?? undefined);
      } catch (error) {
        failed.push(String(error));
      }
    }
    return Response.json({ failed: failed.length, rows: sql.exec("SELECT key FROM ledger ORDER BY key").toArray().map(({ key }) => key) });
  }
}
export default { fetch: (request, env) => env.LEDGER.getByName("one").fetch(request) };`;

const PUT = "INSERT OR REPLACE INTO ledger SELECT value FROM json_each(?1)";
const REMOVE = "DELETE FROM ledger WHERE key IN (SELECT value FROM json_each(?1))";
const FAILS = "DELETE FROM nowhere WHERE key = ?1";

describe("fault 19: a write that fails half-way", () => {
  let runtime;
  before(async () => {
    const script = readFileSync(path.join(ROOT, "workers/gateway/src/ledger/rows.js"), "utf8");
    const modules = [
      { type: "ESModule", path: "object.js", contents: OBJECT },
      { type: "ESModule", path: "rows.js", contents: script },
    ];
    const worker = { name: "rows", modules, compatibilityDate: "2026-11-01", durableObjects: { LEDGER: { className: "Ledger", useSQLite: true } } };
    runtime = new Miniflare(convertV4MiniflareOptions({ host: "127.0.0.1", port: 0, cf: false, workers: [worker] }));
    await runtime.ready;
  });
  after(() => runtime.dispose());

  async function write(...writes) {
    const response = await runtime.dispatchFetch("http://rows/", { method: "POST", body: JSON.stringify(writes) });
    return response.json();
  }

  test("is_rolled_back_and_later_writes_work", async () => {
    assert.deepEqual(await write([PUT, '["a", "b"]', REMOVE, null]), { failed: 0, rows: ["a", "b"] });
    assert.deepEqual(await write([PUT, '["c"]', FAILS, "a"]), { failed: 1, rows: ["a", "b"] });
    assert.deepEqual(await write([PUT, '["c"]', FAILS, "a"], [PUT, '["d"]', REMOVE, '["a"]']), { failed: 1, rows: ["b", "d"] });
    assert.deepEqual(await write([PUT, null, REMOVE, '["b"]']), { failed: 0, rows: ["d"] });
  });
});
