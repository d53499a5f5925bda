// The floor of the gateway's design, in plain JavaScript: an object is asked before the upstream and told
// afterwards, by remote call and with a row written each time, and what comes from the upstream is read
// and not just passed on. No keys, no limits, no receipts, no log: only what the runtime charges for that.
import { DurableObject } from "cloudflare:workers";

/** How many rows the calls of all requests share. */
const ROWS = 32;

export class TenantLedger extends DurableObject {
  #calls = 0;

  constructor(context, env) {
    super(context, env);
    context.storage.sql.exec("CREATE TABLE IF NOT EXISTS calls (row INTEGER PRIMARY KEY, said TEXT NOT NULL)");
  }

  ask(said) {
    this.#calls += 1;
    this.ctx.storage.sql.exec("INSERT OR REPLACE INTO calls (row, said) VALUES (?1, ?2)", this.#calls % ROWS, said);
    return `answer ${this.#calls}`;
  }
}

export default {
  async fetch(request, env, context) {
    const ask = (said) => env.LEDGER.getByName("bench").ask(said);
    const { pathname } = new URL(request.url);
    const body = await request.text();
    await ask("admit");
    const answer = await fetch(env.UPSTREAM + pathname, {
      method: request.method,
      headers: { "content-type": "application/json" },
      body,
    });
    const type = answer.headers.get("content-type");
    const head = { status: answer.status, headers: { "content-type": type } };
    if (!type.startsWith("text/event-stream")) {
      const text = await answer.text();
      await ask("settle");
      return new Response(text, head);
    }
    const { readable, writable } = new IdentityTransformStream();
    context.waitUntil(relay(answer.body, writable, () => ask("settle")));
    return new Response(readable, head);
  },
};

/** Reads a stream as text, writes it piece by piece, and settles before its end. */
async function relay(stream, writable, settle) {
  const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
  const writer = writable.getWriter();
  for await (const piece of stream) await writer.write(encoder.encode(decoder.decode(piece, { stream: true })));
  await settle();
  await writer.close();
}
