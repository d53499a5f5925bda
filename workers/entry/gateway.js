// The entry script of the gateway: that of every Worker, and the class of the ledgers.
import { DurableObject } from "cloudflare:workers";
import { durableObject } from "./durable-objects.js";
import { instance } from "./instance.js";
import { TenantLedger as Built } from "./worker.js";

export { default } from "./index.js";

export const TenantLedger = durableObject(Built, DurableObject, instance);
