// Faults 27 and 28: a part of us fails, the rest goes on.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { complete, completeStream, expectError } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

async function withStack(options, use) {
  const stack = await startStack(options);
  try {
    await use(stack);
  } finally {
    await stack.stop();
  }
}

describe("fault 27: a panic in a handler", () => {
  test("costs_one_500_that_tells_nothing_and_the_next_request_works", () =>
    withStack({ build: BUILD_WITH_FAULTS }, async (stack) => {
      await complete(stack, {});
      for (let round = 0; round < 3; round += 1) {
        const response = await fetch(`${stack.url}/__test/panic`);
        assert.equal(response.status, 500);
        const text = await response.text();
        for (const word of ["panicked", ".rs", "wasm", "    at "]) assert.ok(!text.includes(word), text);
        await complete(stack, {}, { headers: { "x-session-id": "after-a-panic" } });
        await completeStream(stack, {}, { headers: { "x-session-id": "after-a-panic" } });
      }
      assert.equal(stack.upstream.lastBody.messages.length, 11, "the session lost nothing");
    }));

  test("among_many_requests_at_once_leaves_the_gateway_serving", () =>
    withStack({ build: BUILD_WITH_FAULTS }, async (stack) => {
      const panics = Array.from({ length: 5 }, () => fetch(`${stack.url}/__test/panic`).then(async (response) => {
        await response.body.cancel();
        return response.status;
      }));
      assert.deepEqual(await Promise.all(panics), Array(5).fill(500));
      for (let round = 0; round < 5; round += 1) await complete(stack, {});
    }));
});

describe("fault 28: the admin binding is absent", () => {
  test("admin_routes_fail_closed_and_the_rest_works", () =>
    withStack({ without: ["ADMIN"] }, async (stack) => {
      for (const path of ["/admin/", "/admin/health", "/admin/tenants"]) {
        for (const method of ["GET", "POST"]) {
          await expectError(await fetch(`${stack.url}${path}`, { method, headers: { authorization: `Bearer ${stack.key}` } }), 503);
        }
      }
      await complete(stack, {});
      await completeStream(stack, {}, { headers: { "x-session-id": "without-admin" } });
      const health = await fetch(`${stack.url}/health`);
      const body = await health.json();
      assert.notEqual(body.dependencies.admin.status ?? body.dependencies.admin, "ok", "health tells what is missing");
      assert.equal(body.dependencies.database.status ?? body.dependencies.database, "ok");
    }));
});
