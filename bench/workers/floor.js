// Reference Worker: the minimum work of the gateway's design in plain JavaScript. It calls a Durable Object
// before and after the upstream request (one row written per call) and reads the upstream response instead
// of passing it through. It has no keys, limits, receipts or logs.
import { DurableObject } from "cloudflare:workers";

/** Number of rows that all calls share. */
const ROWS = 32;

export class TenantLedger extends DurableObject {
  #calls = 0;

  constructor(context, env) {
    super(context, env);
    context.storage.sql.exec("CREATE TABLE IF NOT EXISTS calls (row INTEGER PRIMARY KEY, step TEXT NOT NULL)");
  }

  record(step) {
    this.#calls += 1;
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO calls (row, step) VALUES (?1, ?2)", this.#calls % ROWS, step);
    return `answer ${this.#calls}`;
  }
}

export default {
  async fetch(request, env, context) {
    const record = (step) => env.LEDGER.getByName("bench").record(step);
    const { pathname } = new URL(request.url);
    const body = await request.text();
    await record("admit");
    const response = await fetch(env.UPSTREAM + pathname, {
      method: request.method,
      headers: { "content-type": "application/json" },
      body,
    });
    const type = response.headers.get("content-type");
    const head = { status: response.status, headers: { "content-type": type } };
    if (!type.startsWith("text/event-stream")) {
      const text = await response.text();
      await record("settle");
      return new Response(text, head);
    }
    const { readable, writable } = new IdentityTransformStream();
    context.waitUntil(relay(response.body, writable, () => record("settle")));
    return new Response(readable, head);
  },
};

/** Decodes and re-encodes a stream chunk by chunk, and settles before closing it. */
async function relay(stream, writable, settle) {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  const writer = writable.getWriter();
  for await (const chunk of stream) await writer.write(encoder.encode(decoder.decode(chunk, { stream: true })));
  await settle();
  await writer.close();
}
