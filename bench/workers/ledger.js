// Benchmark Worker that calls the gateway's ledger objects directly.
//
// `GET /bare` makes no call. `GET /admit` makes one admission. `GET /calls/N` makes an admission and its
// settlement for one of N tenants, round robin. `POST /call/TENANT` forwards the body to the ledger.
import { WorkerEntrypoint } from "cloudflare:workers";

let calls = 0;

const UNLIMITED = 1e12;
const CONFIG = {
  version: 1,
  status: "active",
  limits: { requests_per_minute: UNLIMITED, burst: UNLIMITED, concurrent: UNLIMITED },
  quotas: { messages_per_month: UNLIMITED, tokens_per_month: UNLIMITED, micro_dollars_per_month: UNLIMITED },
  storage: { sessions: null, messages: null, bytes: null },
};

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const [, action, name] = new URL(request.url).pathname.split("/");
    const call = async (tenant, input) => this.env.LEDGER.getByName(tenant).ask(JSON.stringify({ tenant, input }));
    if (action === "bare") return new Response("{}");
    if (action === "call") return new Response(await this.env.LEDGER.getByName(name).ask(await request.text()));
    const number = (calls += 1);
    const tenant = id("ten", action === "admit" ? 0 : number % Number(name));
    const admitted = await call(tenant, { admit: admission(number) });
    if (action === "admit") return new Response(admitted);
    const { ticket } = JSON.parse(admitted).answer.granted ?? fail(admitted);
    const spent = { tokens_in: 12, tokens_out: 20, cost: 14 };
    return new Response(await call(tenant, { settle: { request_id: id("req", number), ticket, spent, provenance: "provider", model: "bench-model" } }));
  }
}

function admission(number) {
  const caller = { key_id: id("key", 1), key_version: 1, config_version: 1, config: CONFIG };
  return { request_id: id("req", number), caller, class: "chat", model: "bench-model", tokens_in: 12, default_tokens_out: 4096, answers: 1, price: { input: 150_000, output: 600_000 } };
}

function fail(answer) {
  throw new Error(`unexpected answer of the ledger: ${answer}`);
}

function id(prefix, number) {
  return `${prefix}_${String(number).padStart(26, "0")}`;
}
