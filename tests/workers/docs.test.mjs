// The API's descriptions and reference pages as the Workers serve them: compressed for clients that accept it, plain for
// others, and the admin API's only with a token.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { ROOT } from "../harness/bundle.mjs";
import { expectError } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

const DOCUMENTS = [
  { path: "/openapi.json", file: "openapi.json", type: "application/json" },
  { path: "/docs", file: "reference.html", type: "text/html; charset=utf-8" },
  { path: "/admin/openapi.json", file: "admin-openapi.json", type: "application/json", isAdmin: true },
  { path: "/admin/docs", file: "admin-reference.html", type: "text/html; charset=utf-8", isAdmin: true },
];

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());

/** Sends a request without what `fetch` adds; returns status, headers and the bytes of the body as they arrive. */
function get(document, accepted, method = "GET") {
  const headers = { ...(accepted === undefined ? {} : { "accept-encoding": accepted }), ...(document.isAdmin ? { authorization: `Bearer ${stack.adminToken}` } : {}) };
  return new Promise((resolve, reject) => {
    const request = http.request(`${stack.url}${document.path}`, { method, headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, bytes: Buffer.concat(parts) }));
    });
    request.on("error", reject);
    request.end();
  });
}

for (const document of DOCUMENTS) {
  describe(document.path, () => {
    const expected = readFileSync(path.join(ROOT, "docs/api", document.file));

    test("is_sent_compressed_to_clients_that_accept_it", async () => {
      const { status, headers, bytes } = await get(document, "gzip, deflate, br");
      assert.equal(status, 200);
      assert.equal(headers["content-encoding"], "gzip");
      assert.equal(headers["content-type"], document.type);
      assert.equal(headers.vary, "accept-encoding");
      assert.ok(bytes.length < 60_000, `${bytes.length} bytes`);
      assert.deepEqual(gunzipSync(bytes), expected);
    });

    for (const accepted of [undefined, "identity", "gzip;q=0"]) {
      test(`is_sent_as_it_is_with_accept_encoding_${accepted}`, async () => {
        const { status, headers, bytes } = await get(document, accepted);
        assert.equal(status, 200);
        assert.equal(headers["content-encoding"], undefined);
        assert.deepEqual(bytes, expected);
      });
    }

    test("has_no_body_for_a_head_request", async () => {
      const { status, headers, bytes } = await get(document, "gzip", "HEAD");
      assert.deepEqual([status, headers["content-type"], bytes.length], [200, document.type, 0]);
    });

    if (document.isAdmin) {
      test("needs_an_admin_token", async () => {
        await expectError(await fetch(`${stack.url}${document.path}`), 401, { code: "missing_api_key" });
        const headers = { authorization: `Bearer ${stack.key}` };
        await expectError(await fetch(`${stack.url}${document.path}`, { headers }), 403, { code: "permission_denied" });
      });
    }
  });
}

test("a_description_may_be_read_by_programs_in_browsers_and_a_page_runs_only_its_own_script", async () => {
  const [description, page] = await Promise.all(["/openapi.json", "/docs"].map((name) => fetch(`${stack.url}${name}`)));
  assert.equal(description.headers.get("access-control-allow-origin"), "*");
  assert.equal((await description.json()).openapi, "3.1.0");
  const policy = page.headers.get("content-security-policy");
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+';/);
  assert.equal(page.headers.get("x-content-type-options"), "nosniff");
  assert.match(await page.text(), /^<!doctype html>/);
});
