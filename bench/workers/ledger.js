// For the bench only: asks the gateway's ledgers directly, as the gateway does, without a gateway.
//
// `GET /bare` asks nobody, `GET /admit` one admission, `GET /calls/N` an admission and its settlement
// for one of N tenants in turns; `POST /tell/TENANT` passes a question on.
import { WorkerEntrypoint } from "cloudflare:workers";

let asked = 0;

const MUCH = 1e12;
const CONFIG = {
  version: 1,
  status: "active",
  limits: { requests_per_minute: MUCH, burst: MUCH, concurrent: MUCH },
  quotas: { messages_per_month: MUCH, tokens_per_month: MUCH, micro_dollars_per_month: MUCH },
};

export default class extends WorkerEntrypoint {
  async fetch(request) {
    const [, order, name] = new URL(request.url).pathname.split("/");
    const tell = async (tenant, input) => this.env.LEDGER.getByName(tenant).ask(JSON.stringify({ tenant, input }));
    if (order === "bare") return new Response("{}");
    if (order === "tell") return new Response(await this.env.LEDGER.getByName(name).ask(await request.text()));
    const number = (asked += 1);
    const tenant = id("ten", order === "admit" ? 0 : number % Number(name));
    const admitted = await tell(tenant, { admit: admission(number) });
    if (order === "admit") return new Response(admitted);
    const { ticket } = JSON.parse(admitted).answer.granted;
    const spent = { tokens_in: 12, tokens_out: 20, cost: 14 };
    return new Response(await tell(tenant, { settle: { request_id: id("req", number), ticket, spent, provenance: "provider" } }));
  }
}

function admission(number) {
  const caller = { key_id: id("key", 1), key_version: 1, config_version: 1, config: CONFIG };
  return { request_id: id("req", number), caller, class: "chat", model: "bench-model", tokens_in: 12, default_tokens_out: 4096, answers: 1, price: { input: 150_000, output: 600_000 } };
}

function id(prefix, number) {
  return `${prefix}_${String(number).padStart(26, "0")}`;
}
