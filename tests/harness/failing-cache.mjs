// Wraps a Worker's bundle in tests: its cache fails as an entry of that cache says.
import bundle from "./index.js";

export * from "./index.js";

/** The cache's entry with the fault: `{ call, kind }`. */
const PLAN = "test-fault";

/** The cache, with a fault in one of its calls. */
function failing(cache) {
  const calls = ["get", "getWithMetadata", "put", "list", "delete"].map((name) => [
    name,
    async (...parameters) => {
      const { call, kind } = (await cache.get(PLAN, "json")) ?? {};
      if (call !== name) return cache[name](...parameters);
      if (kind === "silent") return new Promise(() => {});
      throw new Error("KV failed: 500 internal-detail-of-the-cache");
    },
  ]);
  return Object.fromEntries(calls);
}

export default class extends bundle {
  constructor(context, env) {
    super(context, { ...env, CACHE: failing(env.CACHE) });
  }
}
