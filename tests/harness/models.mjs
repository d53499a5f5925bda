// Scripted models with one behaviour each, so that tests can run at the same time
// against one stack: the model's id selects the behaviour.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { DIALECTS } from "./dialects.mjs";
import { startStack } from "./stack.mjs";
import { startUpstream } from "./upstream.mjs";

/** No rate limits, and a quota whose response headers show the ledger's balance. */
const LIMITS = { limits: { requests_per_minute: null, burst: null, concurrent: null }, quotas: { tokens_per_month: 1_000_000_000 } };

/** The scripted models of one test file. Add them while tests are declared, then call `start()`. */
export class Models {
  #scripts = new Map();
  #providers = new Map();

  /** Adds a model and returns its id. Its provider uses `dialect`; `overrides` change the provider's settings. */
  add(dialect, name, behaviour, overrides = {}) {
    const id = `${dialect.kind}-${name}`;
    assert.ok(!this.#scripts.has(id), `${id} is a duplicate`);
    this.#scripts.set(id, behaviour);
    const provider = JSON.stringify({ kind: dialect.kind, ...overrides });
    this.#providers.set(provider, [...(this.#providers.get(provider) ?? []), id]);
    return id;
  }

  /** Replaces a model's behaviour. */
  script(id, behaviour) {
    this.#scripts.set(id, behaviour);
  }

  /** Starts a stack with two tenants: `alone` has no fallback, `chained` falls back on `fallback`. */
  async start({ fallback, vars = {} } = {}) {
    this.upstream = await startUpstream();
    this.upstream.always((request, response) => this.#scripts.get(withModelInBody(request).body.model)(withModelInBody(request), response));
    const providers = [...this.#providers].map(([provider, ids], index) => ({
      ...this.upstream.provider(),
      ...JSON.parse(provider),
      name: `provider-${index}`,
      models: ids.map((id) => ({ id, context: 32768, max_output: 4096 })),
    }));
    this.stack = await startStack({ tenants: 2, ai: true, upstream: this.upstream, vars: { PROVIDERS: JSON.stringify(providers), ...vars } });
    const [alone, chained] = this.stack.tenants;
    await this.stack.updateSettings(alone.tenant_id, LIMITS);
    await this.stack.updateSettings(chained.tenant_id, { ...LIMITS, fallback: fallback ? [fallback] : [] });
    this.alone = { tenant: alone.tenant_id, key: alone.secret_key };
    this.chained = { tenant: chained.tenant_id, key: chained.secret_key };
    return this.stack;
  }

  async stop() {
    await this.stack?.stop();
    await this.upstream?.close();
  }

  /** The requests to a model, oldest first. */
  requestsTo(id) {
    return this.upstream.requests.map(withModelInBody).filter(({ body }) => body.model === id);
  }

  /** Waits for the receipt of a call. */
  async receipt(response) {
    const id = response.headers.get("x-request-id");
    // Receipts are written in batches, a second after the call; many tests wait at the same time.
    for (const end = Date.now() + 20_000; Date.now() < end; await sleep(300)) {
      const [found] = await this.stack.rows("SELECT * FROM receipts WHERE request_id = ?1", id);
      if (found) return found;
    }
    throw new Error(`no receipt for ${id}`);
  }

  /** Asserts that the call was not charged and its whole reservation was released. */
  async assertUncharged(response) {
    const receipt = await this.receipt(response);
    assert.equal(receipt.provenance, "released");
    assert.deepEqual([receipt.charged_messages, receipt.charged_tokens, receipt.charged_micro_dollars], [0, 0, 0]);
    assert.ok(receipt.reserved_tokens > 0, "the call had a reservation");
  }

  /** Asserts that the call was charged once, by usage of this `provenance`; returns the receipt. */
  async assertCharged(response, provenance) {
    const receipt = await this.receipt(response);
    assert.equal(receipt.provenance, provenance, JSON.stringify(receipt));
    assert.equal(receipt.charged_messages, 1);
    assert.ok(receipt.tokens_in > 0 && receipt.tokens_out > 0, JSON.stringify(receipt));
    assert.equal(receipt.charged_tokens, receipt.tokens_in + receipt.tokens_out);
    return receipt;
  }

  /** Asserts that no reservation of a tenant is open: the balance of its ledger equals that of its receipts. */
  async assertNothingReserved({ tenant, key }, model) {
    const authorization = `Bearer ${key}`;
    const response = await fetch(`${this.stack.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization },
      body: JSON.stringify({ model, max_tokens: 10, messages: [{ role: "user", content: "Say hello." }] }),
    });
    assert.equal(response.status, 200, await response.text());
    await this.receipt(response);
    const [{ charged }] = await this.stack.rows("SELECT sum(charged_tokens) AS charged FROM receipts WHERE tenant_id = ?1", tenant);
    const [{ own }] = await this.stack.rows("SELECT charged_tokens AS own FROM receipts WHERE request_id = ?1", response.headers.get("x-request-id"));
    const [{ reserved }] = await this.stack.rows("SELECT reserved_tokens AS reserved FROM receipts WHERE request_id = ?1", response.headers.get("x-request-id"));
    const remaining = Number(response.headers.get("x-ratelimit-remaining-tokens"));
    assert.equal(remaining, LIMITS.quotas.tokens_per_month - (charged - own) - reserved, "something is still reserved");
  }
}

/** A request with the model in its body; the AI binding sends the model in a header. */
function withModelInBody(request) {
  const model = request.headers["cf-consn-model-id"];
  return model ? { ...request, body: { ...request.body.inputs, model } } : request;
}

/** Calls `declare(dialect, stream, name)` for every dialect, streamed and not. */
export function forEachWire(declare) {
  for (const [name, dialect] of Object.entries(DIALECTS)) for (const stream of [false, true]) declare(dialect, stream, `${name}_${stream ? "stream" : "whole"}`);
}
