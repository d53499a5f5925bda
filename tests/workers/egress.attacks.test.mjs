// Attacks 49, 51 and 52: a hostile or misconfigured provider.
import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { after, before, beforeEach, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";
import { until } from "../harness/wait.mjs";

const WIRES = ["openai", "anthropic"];
const PROVIDER_KEY = "provider-key-canary-91d2";

let stack;
let attacker;
const stolen = [];

before(async () => {
  attacker = http.createServer((request, response) => {
    stolen.push({ url: request.url, headers: request.headers });
    response.end("{}");
  });
  attacker.listen(0, "127.0.0.1");
  await once(attacker, "listening");
  const upstream = await startUpstream();
  const providers = WIRES.map((kind) => upstream.provider({ name: kind, kind, key: "PROVIDER_KEY", models: [{ id: kind }] }));
  stack = await startStack({ upstream, vars: { PROVIDERS: JSON.stringify(providers), PROVIDER_KEY } });
});
after(async () => {
  await stack.stop();
  await stack.upstream.close();
  attacker.close();
});
beforeEach(() => {
  stack.upstream.reset();
  stolen.length = 0;
});

/** Redirects the request to the attacker's server. */
function redirect(status) {
  return async (_request, response) => {
    response.writeHead(status, { location: `http://127.0.0.1:${attacker.address().port}/v1/take` });
    response.end();
  };
}

test("attack_52_a_redirect_is_not_followed_and_receives_no_key", async () => {
  for (const model of WIRES) {
    for (const status of [301, 302, 303, 307, 308]) {
      for (const stream of [false, true]) {
        stack.upstream.reset();
        stack.upstream.always(redirect(status));
        await expectError(await postChat(stack, chatBody({ model, stream })), 502, { code: "upstream_error" });
        assert.deepEqual(stolen, []);
        // The provider itself receives the key; the redirect target must not.
        assert.ok(JSON.stringify(stack.upstream.requests[0].headers).includes(PROVIDER_KEY));
      }
    }
  }
});

for (const [name, usage] of Object.entries({
  negative: '{"prompt_tokens":-1,"completion_tokens":-1,"total_tokens":-2}',
  beyond_64_bits: '{"prompt_tokens":9223372036854775808,"completion_tokens":1e30,"total_tokens":9}',
})) {
  test(`attack_49_usage_that_is_${name}_is_estimated_and_the_receipt_says_so`, async () => {
    stack.upstream.next(async (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there."},"finish_reason":"stop"}],"usage":${usage}}`);
    });
    const { response, body } = await complete(stack, { model: "openai" });
    assert.ok(body.usage.prompt_tokens > 0 && body.usage.prompt_tokens < 100, JSON.stringify(body.usage));
    assert.ok(body.usage.completion_tokens > 0 && body.usage.completion_tokens < 100);
    const receipt = () => stack.rows("SELECT provenance FROM receipts WHERE request_id = ?1", response.headers.get("x-request-id"));
    await until(async () => (await receipt()).length === 1, "the receipt is written");
    assert.deepEqual(await receipt(), [{ provenance: "estimated" }]);
  });
}

test("attack_51_a_provider_at_a_private_address_is_never_called_without_the_setting", async () => {
  const { upstream } = stack;
  const strict = await startStack({ upstream, vars: { ALLOW_PRIVATE_PROVIDERS: "false" } });
  try {
    for (const send of [() => postChat(strict, chatBody()), () => postChat(strict, chatBody({ stream: true }))]) {
      const response = await send();
      const text = await response.text();
      assert.ok(response.status >= 500, text);
      assert.ok(!text.includes("127.0.0.1"), "clients must not see the address");
    }
    assert.equal(upstream.requests.length, 0);
  } finally {
    await strict.stop();
  }
});

test("a_regular_provider_works_whole_and_streamed", async () => {
  stack.upstream.next(behaviours.completion());
  assert.equal((await complete(stack, { model: "openai" })).body.choices[0].message.content, "Hello there.");
  stack.upstream.next(behaviours.stream());
  assert.ok((await completeStream(stack, { model: "openai" })).done);
});
