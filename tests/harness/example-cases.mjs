// What each example of docs/api/examples needs and must print.
//
// A case is `{ prepare, shows, status, prints }`:
// - `prepare(world)` returns the example's environment variables.
// - `shows(last, context)` checks the effect and returns the values that the example prints, in their
//   order. `last` is the last response as JSON; `context` has all `calls`, their `bodies`, the
//   `variables` and the `world`.
// - `curl` is the same for a curl example that does not print the bodies of its responses.
// - `status` is the status of the responses, any successful one by default.
// - `prints(output, context)` replaces the comparison of the output with `shows`.
import assert from "node:assert/strict";
import { MODEL, readEvents } from "./client.mjs";

/** Checks a value and returns it. */
const same = (value, expected) => {
  assert.deepEqual(value, expected);
  return value;
};

const nothing = async () => ({});
const session = (world) => world.session();
const message = (world) => world.message();
const sharedTenant = (world) => world.sharedTenant();
const newTenant = (world) => world.tenant();
const token = (world) => world.token();

/** The values of these members of every item of a page. */
const listed = (...names) => ({ data }) => {
  assert.ok(data.length > 0, "the list is not empty");
  return data.flatMap((item) => names.map((name) => item[name]));
};

/** The role and the text of every message of a page. */
const conversation = ({ data }) => {
  assert.deepEqual(data.map(({ role }) => role).sort(), ["assistant", "user"]);
  return data.flatMap(({ role, message: { content } }) => [role, content]);
};

const answer = ({ choices: [{ message: { content } }] }) => content;

/** The text of a stream and the tokens of its last chunk; curl prints the events. */
const streamed = (output, { extension }) => {
  if (extension !== "sh") return assert.equal(output, "Hello there.\n18 tokens\n");
  const { text, chunks, done } = readEvents(output);
  assert.deepEqual([text, chunks.at(-1)?.usage?.total_tokens, done], ["Hello there.", 18, true]);
};

/** The answer of each call; the second one knows the first. */
const twoTurns = (_last, { bodies }) => {
  assert.deepEqual(bodies.map(answer), ["Hello there.", "Your name is Ada."]);
  return bodies.map(answer);
};

/** Every record of every page as one line of JSON. */
const records = (output, { bodies, variables }) => {
  const lines = output.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines, bodies.flatMap(({ data }) => data));
  assert.ok(lines.some(({ object, id }) => object === "tenant" && id === variables.TENANT_ID));
};

export const CASES = {
  createChatCompletion: { shows: (last) => [same(answer(last), "Hello there.")] },
  "createChatCompletion.stream": { prints: streamed },
  "createChatCompletion.session": { prepare: async () => ({ SESSION_ID: `ada-${Math.random()}` }), shows: twoTurns },
  "createChatCompletion.tools": {
    shows: (last, { calls }) => {
      assert.equal(calls.length, 2);
      assert.equal(answer(last), "The tool says: 21 degrees and sunny in Bern");
      return [answer(last)];
    },
  },
  "createChatCompletion.serverTools": {
    shows: (last, { calls }) => {
      assert.equal(calls.length, 1);
      assert.match(answer(last), /^The tool says: .*\d{4}-\d\d-\d\dT/);
      return [answer(last), "time_now", "succeeded"];
    },
  },
  "createChatCompletion.structured": {
    shows: (last) => {
      const { name, population } = JSON.parse(answer(last));
      return [name, population];
    },
  },
  "createChatCompletion.image": { prepare: (world) => world.image(), shows: (last, { variables }) => [same(answer(last), `I see ${variables.ending}`)] },
  "createChatCompletion.errors": {
    status: 404,
    shows: ({ error: { code, param } }, { calls: [{ headers }] }) => {
      assert.deepEqual([code, param], ["model_not_found", "model"]);
      return [404, code, param, headers["x-request-id"]];
    },
    curl: ({ error: { code } }, { calls: [{ headers }] }) => ["404", headers["x-request-id"], code],
  },
  "createChatCompletion.idempotent": {
    prepare: async () => ({ IDEMPOTENCY_KEY: `order-${Math.random()}` }),
    shows: (_last, { bodies: [first, second], calls }) => {
      assert.equal(second.id, first.id);
      assert.equal(calls[1].headers["idempotent-replayed"], "true");
      return [first.id, null, second.id, "true"];
    },
  },
  "createChatCompletion.headers": {
    shows: (_last, { calls: [{ headers }] }) => {
      const shown = ["x-clawless-model", "x-clawless-route", "x-ratelimit-remaining-requests", "x-request-id"].map((name) => headers[name]);
      assert.equal(shown[0], MODEL);
      return shown;
    },
    curl: (_last, { calls: [{ headers }] }) => [headers["x-request-id"]],
  },
  listModels: { shows: listed("id", "owned_by") },
  getModel: { prepare: async () => ({ MODEL }), shows: ({ id, owned_by }) => [same(id, MODEL), owned_by] },

  listSessions: { prepare: session, shows: listed("id", "title") },
  "listSessions.pages": {
    prepare: (world) => world.manySessions(),
    shows: (_last, { bodies, extension }) => {
      // The first page only with curl.
      const data = bodies.flatMap((page) => page.data);
      assert.equal(data.filter(({ id }) => id.startsWith("rome-")).length >= 101, extension !== "sh");
      return data.flatMap(({ id, title }) => [id, title]);
    },
  },
  createSession: {
    shows: async ({ id }, { world }) => {
      const { title, metadata } = await world.call("GET", `/v1/sessions/${id}`);
      assert.deepEqual([title, metadata], ["Trip to Rome", { user: "42" }]);
      return [id];
    },
  },
  getSession: { prepare: session, shows: ({ id, title }, { variables }) => [same(id, variables.SESSION_ID), title] },
  updateSession: {
    prepare: session,
    shows: async (_last, { world, variables }) => {
      const { title } = await world.call("GET", `/v1/sessions/${variables.SESSION_ID}`);
      return [same(title, "About Ada")];
    },
  },
  deleteSession: {
    prepare: session,
    shows: async ({ id }, { world, variables }) => {
      await world.call("GET", `/v1/sessions/${variables.SESSION_ID}`, { status: 404 });
      return [id, true];
    },
  },
  resetSession: {
    prepare: session,
    shows: async ({ id }, { world, variables }) => {
      assert.deepEqual((await world.call("GET", `/v1/sessions/${variables.SESSION_ID}/messages`)).data, []);
      return [id, 0];
    },
  },
  exportSession: { prepare: session, shows: ({ session: { id }, messages }) => [id, same(messages.length, 2)] },
  listMessages: { prepare: session, shows: conversation },
  deleteMessage: {
    prepare: message,
    shows: async ({ id }, { world, variables }) => {
      const { data } = await world.call("GET", `/v1/sessions/${variables.SESSION_ID}/messages`);
      assert.deepEqual(data.map(({ role }) => role), ["assistant"]);
      return [id, true];
    },
  },
  listToolExecutions: { prepare: (world) => world.session({ content: "What time is it?" }), shows: listed("tool", "status", "result") },
  getTurn: { prepare: session, shows: (last) => ["complete", answer(last)] },
  "getTurn.stream": {
    prepare: session,
    prints: streamed,
  },
  getUsage: { prepare: (world) => world.usage(), shows: listed("day", "model", "tokens", "micro_dollars") },
  "getUsage.csv": { prepare: (world) => world.usage(), prints: (output) => assert.match(output, /^day,model,key_id,.*\r\n\d{4}-\d\d-\d\d,"scripted-model",key_/) },
  getHealth: { shows: ({ status }) => [same(status, "ok")] },

  getAdminHealth: { shows: ({ status, problems }) => [same(status, "ok"), JSON.stringify(same(problems, []))] },
  listTenants: { prepare: sharedTenant, shows: listed("id", "name", "tier") },
  createTenant: {
    shows: async ({ id }, { world }) => {
      const { name, system_prompt: prompt } = await world.admin("GET", `/tenants/${id}`);
      assert.deepEqual([name, prompt], ["Example", "Be brief."]);
      return [id];
    },
  },
  getTenant: { prepare: sharedTenant, shows: ({ name, version }) => [name, version, `"${version}"`] },
  replaceTenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      const { name, version, system_prompt: prompt } = await world.admin("GET", `/tenants/${variables.TENANT_ID}`);
      assert.deepEqual([name, prompt], ["Example", "Be brief."]);
      return [name, version];
    },
  },
  updateTenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      const { limits, version } = await world.admin("GET", `/tenants/${variables.TENANT_ID}`);
      return [same(limits.requests_per_minute, 120), version];
    },
  },
  deleteTenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      await world.admin("GET", `/tenants/${variables.TENANT_ID}`, undefined, { status: 404 });
      return [variables.TENANT_ID, true];
    },
  },
  getTenantUsage: { prepare: sharedTenant, shows: listed("day", "model", "key_id", "tokens") },
  listTenantSessions: { prepare: sharedTenant, shows: listed("id", "token_total") },
  getTenantSession: { prepare: sharedTenant, shows: ({ id, token_total: tokens }, { variables }) => [same(id, variables.SESSION_ID), tokens] },
  listTenantMessages: { prepare: sharedTenant, shows: conversation },
  exportTenant: { prepare: sharedTenant, prints: records },
  eraseTenant: {
    prepare: newTenant,
    // The first request erases the session and continues; curl sends one request.
    shows: async (last, { world, variables, extension }) => {
      const { data } = await world.admin("GET", `/tenants/${variables.TENANT_ID}/sessions`);
      assert.deepEqual(data, []);
      assert.equal(last.erased, extension !== "sh");
      return [variables.TENANT_ID, true];
    },
  },
  listUsage: { prepare: sharedTenant, shows: listed("tenant_id", "tokens", "micro_dollars") },
  listKeys: { prepare: sharedTenant, shows: listed("id", "name") },
  createKey: {
    prepare: sharedTenant,
    shows: async ({ id, key }, { world }) => {
      await world.call("GET", "/v1/models", { key });
      return [id, key];
    },
  },
  getKey: { prepare: sharedTenant, shows: ({ name, scopes: [scope] }) => [same(name, "server"), same(scope, "chat")] },
  updateKey: {
    prepare: newTenant,
    shows: async ({ id }, { world, variables }) => {
      const { limits } = await world.admin("GET", `/tenants/${variables.TENANT_ID}/keys/${variables.KEY_ID}`);
      assert.deepEqual([limits.requests_per_minute, limits.burst], [60, 10]);
      return [id, "requests_per_minute", 60, "burst", 10];
    },
  },
  rotateKey: {
    prepare: newTenant,
    shows: async ({ id, key }, { world, variables }) => {
      for (const works of [key, variables.key]) await world.call("GET", "/v1/models", { key: works });
      return [id, key];
    },
  },
  revokeKey: {
    prepare: newTenant,
    shows: async ({ id, revoked_at: at }, { world, variables }) => {
      await world.call("GET", "/v1/models", { key: variables.key, status: 401 });
      return [id, at];
    },
  },
  listTokens: { shows: listed("id", "name", "revoked_at") },
  createToken: {
    shows: async ({ id, token: text }, { world }) => {
      await world.admin("GET", "/health", undefined, { token: text });
      return [id, text];
    },
  },
  revokeToken: {
    prepare: token,
    shows: async ({ id, revoked_at: at }, { world, variables }) => {
      await world.admin("GET", "/health", undefined, { token: variables.token, status: 401 });
      return [id, at];
    },
  },
  listAudit: { prepare: sharedTenant, shows: listed("at", "actor", "action", "target") },
};

/** The case of an example. */
export const caseOf = ({ case: name }) => ({ prepare: nothing, ...(CASES[name] ?? assert.fail(`${name} has no case in example-cases.mjs`)) });
