// Faults 27 and 28: one component fails, the others continue.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

async function withStack(options, use) {
  const stack = await startStack(options);
  try {
    await use(stack);
  } finally {
    await stack.stop();
  }
}

describe("fault 27: a panic in a handler", () => {
  test("causes_one_500_without_details_and_the_next_request_works", () =>
    withStack({ build: BUILD_WITH_FAULTS }, async (stack) => {
      await complete(stack, {});
      for (let round = 0; round < 3; round += 1) {
        const response = await fetch(`${stack.url}/__test/panic`);
        const error = await expectError(response, 500, { code: "internal_error", type: "server_error", param: null });
        for (const word of ["panic", "purpose", ".rs", "wasm", "    at "]) assert.ok(!error.message.includes(word), error.message);
        const id = response.headers.get("x-request-id");
        await until(() => stack.logs.some(({ message }) => message.includes('"serve request failed"') && message.includes(id)), "a log line for the failed request");
        await complete(stack, {}, { headers: { "x-session-id": "after-a-panic" } });
        await completeStream(stack, {}, { headers: { "x-session-id": "after-a-panic" } });
      }
      assert.equal(stack.upstream.lastBody.messages.length, 11, "the session is complete");
    }));

  test("among_many_concurrent_requests_leaves_the_gateway_working", () =>
    withStack({ build: BUILD_WITH_FAULTS }, async (stack) => {
      const panics = Array.from({ length: 5 }, () => fetch(`${stack.url}/__test/panic`).then(async (response) => {
        await response.body.cancel();
        return response.status;
      }));
      assert.deepEqual(await Promise.all(panics), Array(5).fill(500));
      for (let round = 0; round < 5; round += 1) await complete(stack, {});
    }));
});

describe("fault 27: requests concurrent with a panic", () => {
  test("get_a_response_at_once_with_their_own_ids_and_may_retry", () =>
    withStack({ build: BUILD_WITH_FAULTS }, async (stack) => {
      const others = [];
      while (others.length < 3) others.push(await requestInTheProvider(stack));
      await expectError(await fetch(`${stack.url}/__test/panic`), 500);
      const ids = new Set();
      for (const other of others) {
        const response = await other.response;
        await expectError(response, 500, { code: "internal_error" });
        assert.equal(response.headers.get("access-control-allow-origin"), "*");
        assert.match(response.headers.get("access-control-expose-headers"), /x-request-id/);
        ids.add(response.headers.get("x-request-id"));
      }
      assert.equal(ids.size, others.length);
      await complete(stack, {});
    }));

  test("are_readable_only_by_origins_that_may_read_every_response", () =>
    withStack({ build: BUILD_WITH_FAULTS, vars: { CORS_ORIGINS: "https://a.example, https://b.example" } }, async (stack) => {
      const origins = ["https://b.example", "https://b.example.evil", "null"];
      const others = [];
      for (const origin of origins) others.push(await requestInTheProvider(stack, { headers: { origin } }));
      await expectError(await fetch(`${stack.url}/__test/panic`), 500);
      const responses = await Promise.all(others.map(({ response }) => response));
      assert.deepEqual(responses.map(({ headers }) => headers.get("access-control-allow-origin")), ["https://b.example", null, null]);
      for (const response of responses) assert.equal(response.headers.get("vary"), "Origin");
    }));
});

/** Sends a request and waits until it reaches the provider, which never responds. Returns `{ response }`, a promise. */
async function requestInTheProvider(stack, options) {
  const arrived = new Promise((resolve) => stack.upstream.next(async () => resolve()));
  const response = postChat(stack, chatBody(), options);
  await arrived;
  return { response };
}

describe("fault 28: the admin binding is absent", () => {
  test("admin_routes_fail_closed_and_the_others_work", () =>
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
      assert.notEqual(body.dependencies.admin.status ?? body.dependencies.admin, "ok", "health reports the missing dependency");
      assert.equal(body.dependencies.database.status ?? body.dependencies.database, "ok");
    }));
});
