// Attacks 22 and 24: the choice of the ledger, and a thousand concurrent streams.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { completeStream } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

describe("attack 22: a ledger of one's own choosing", () => {
  /** Replaces every ledger and records the names under which it is called. */
  const LEDGER = `import { DurableObject } from "cloudflare:workers";
  const called = new Set();
  export class TenantLedger extends DurableObject {
    async ask() { called.add(this.ctx.id.name); return null; }
    async fetch(request) {
      if (new URL(request.url).pathname === "/called") return Response.json([...called]);
      called.add(this.ctx.id.name);
      return new Response("{}", { status: 500 });
    }
  }
  export default { fetch: () => new Response("no") };`;

  let stack;
  before(async () => (stack = await startStack({ tenants: 2, ledgerScript: LEDGER })));
  after(() => stack.stop());

  test("no_header_query_path_or_body_selects_another_tenants_ledger", async () => {
    const [own, other] = stack.tenants.map(({ tenant_id: id }) => id);
    const headers = Object.fromEntries(["x-tenant-id", "x-clawless-tenant", "x-session-id", "idempotency-key", "x-durable-object-name", "cf-tenant"].map((name) => [name, other]));
    const auth = { authorization: `Bearer ${stack.key}` };
    const sendRequest = async (path, { method = "GET", body, ...rest } = {}) => {
      const response = await fetch(`${stack.url}${path}`, { method, body: body && JSON.stringify(body), headers: { ...headers, ...auth, ...(body ? { "content-type": "application/json" } : {}), ...rest } });
      await response.arrayBuffer();
      assert.notEqual(response.status, 200, path);
    };
    const message = { role: "user", content: other };
    await sendRequest(`/v1/chat/completions?tenant=${other}`, { method: "POST", body: { model: "scripted-model", messages: [message], user: other, metadata: { tenant_id: other } } });
    await sendRequest(`/v1/sessions/${other}`);
    await sendRequest(`/v1/sessions/${other}/messages?tenant_id=${other}&cursor=${other}`);
    await sendRequest("/v1/sessions", { method: "POST", body: { id: other, title: other } });
    await sendRequest(`/v1/sessions?metadata[tenant_id]=${other}`);
    const called = await (await stack.fetchLedger(own, "/called")).json();
    assert.deepEqual(called, [own]);
  });
});

describe("attack 24: a thousand streams at once, with canaries", () => {
  const TENANTS = 5;
  const WAVES = 5;
  const STREAMS = 200;
  const WORDS = 6;

  let stack;
  before(async () => (stack = await startStack({ tenants: TENANTS, gateways: 2 })));
  after(() => stack.stop());

  test("none_of_1000_interleaved_streams_contains_a_word_of_another", async () => {
    const unlimited = { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { messages_per_month: null, tokens_per_month: null, micro_dollars_per_month: null } };
    for (const { tenant_id: id } of stack.tenants) await stack.updateSettings(id, unlimited);

    // Every word waits until all streams of its wave have reached it, or for some seconds.
    const gates = new Map();
    function waitForAll(name, count) {
      if (!gates.has(name)) {
        const gate = { ...Promise.withResolvers(), arrived: 0 };
        setTimeout(gate.resolve, 5_000).unref();
        gates.set(name, gate);
      }
      const gate = gates.get(name);
      if ((gate.arrived += 1) === count) gate.resolve();
      return gate.promise;
    }

    stack.upstream.always(async (request, response) => {
      const canary = request.body.messages.at(-1).content;
      const wave = canary.split("-")[1];
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (let word = 0; word < WORDS; word += 1) {
        await waitForAll(`${wave}-${word}`, STREAMS);
        const delta = { ...(word === 0 ? { role: "assistant" } : {}), content: `${canary}/${word} ` };
        response.write(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "scripted-model", choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`);
      }
      const last = { index: 0, delta: {}, finish_reason: "stop" };
      const usage = { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 };
      response.end(`data: ${JSON.stringify({ id: "x", object: "chat.completion.chunk", created: 1, model: "scripted-model", choices: [last], usage })}\n\ndata: [DONE]\n\n`);
    });

    for (let wave = 0; wave < WAVES; wave += 1) {
      const streams = Array.from({ length: STREAMS }, async (_, stream) => {
        const tenant = stream % TENANTS;
        const canary = `canary-${wave}-${tenant}-${stream}-end`;
        // Every second stream uses a session whose name all tenants share.
        const headers = stream % 2 === 0 ? {} : { "x-session-id": `shared-${Math.floor(stream / TENANTS)}` };
        const options = { key: stack.tenants[tenant].secret_key, url: stack.urls[stream % 2], headers };
        const { text, done, stream: whole } = await completeStream(stack, { messages: [{ role: "user", content: canary }] }, options);
        assert.equal(text, Array.from({ length: WORDS }, (_, word) => `${canary}/${word} `).join(""));
        assert.ok(done);
        assert.deepEqual([...new Set(whole.match(/canary-[\d-]+end/g))], [canary]);
      });
      await Promise.all(streams);
    }

    assert.equal(stack.upstream.requests.length, WAVES * STREAMS);
    for (const { body, text } of stack.upstream.requests) {
      const [, , tenant] = body.messages.at(-1).content.split("-");
      const seen = new Set(text.match(/canary-[\d-]+end/g).map((canary) => canary.split("-")[2]));
      assert.deepEqual([...seen], [tenant], "a prompt contains the words of one tenant only");
    }
  });
});
