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
  create_chat_completion: { shows: (last) => [same(answer(last), "Hello there.")] },
  "create_chat_completion.stream": { prints: streamed },
  "create_chat_completion.session": { prepare: async () => ({ SESSION_ID: `ada-${Math.random()}` }), shows: twoTurns },
  "create_chat_completion.tools": {
    shows: (last, { calls }) => {
      assert.equal(calls.length, 2);
      assert.equal(answer(last), "The tool says: 21 degrees and sunny in Bern");
      return [answer(last)];
    },
  },
  "create_chat_completion.server_tools": {
    shows: (last, { calls }) => {
      assert.equal(calls.length, 1);
      assert.match(answer(last), /^The tool says: .*\d{4}-\d\d-\d\dT/);
      return [answer(last), "time_now", "succeeded"];
    },
  },
  "create_chat_completion.structured": {
    shows: (last) => {
      const { name, population } = JSON.parse(answer(last));
      return [name, population];
    },
  },
  "create_chat_completion.image": { prepare: (world) => world.image(), shows: (last, { variables }) => [same(answer(last), `I see ${variables.ending}`)] },
  "create_chat_completion.errors": {
    status: 404,
    shows: ({ error: { code, param } }, { calls: [{ headers }] }) => {
      assert.deepEqual([code, param], ["model_not_found", "model"]);
      return [404, code, param, headers["x-request-id"]];
    },
    curl: ({ error: { code } }, { calls: [{ headers }] }) => ["404", headers["x-request-id"], code],
  },
  "create_chat_completion.idempotent": {
    prepare: async () => ({ IDEMPOTENCY_KEY: `order-${Math.random()}` }),
    shows: (_last, { bodies: [first, second], calls }) => {
      assert.equal(second.id, first.id);
      assert.equal(calls[1].headers["idempotent-replayed"], "true");
      return [first.id, null, second.id, "true"];
    },
  },
  "create_chat_completion.headers": {
    shows: (_last, { calls: [{ headers }] }) => {
      const shown = ["x-clawless-model", "x-clawless-route", "x-ratelimit-remaining-requests", "x-request-id"].map((name) => headers[name]);
      assert.equal(shown[0], MODEL);
      return shown;
    },
    curl: (_last, { calls: [{ headers }] }) => [headers["x-request-id"]],
  },
  list_models: { shows: listed("id", "owned_by") },
  get_model: { prepare: async () => ({ MODEL }), shows: ({ id, owned_by }) => [same(id, MODEL), owned_by] },

  list_sessions: { prepare: session, shows: listed("id", "title") },
  "list_sessions.pages": {
    prepare: (world) => world.manySessions(),
    shows: (_last, { bodies, extension }) => {
      // The first page only with curl.
      const data = bodies.flatMap((page) => page.data);
      assert.equal(data.filter(({ id }) => id.startsWith("rome-")).length >= 101, extension !== "sh");
      return data.flatMap(({ id, title }) => [id, title]);
    },
  },
  create_session: {
    shows: async ({ id }, { world }) => {
      const { title, metadata } = await world.call("GET", `/v1/sessions/${id}`);
      assert.deepEqual([title, metadata], ["Trip to Rome", { user: "42" }]);
      return [id];
    },
  },
  get_session: { prepare: session, shows: ({ id, title }, { variables }) => [same(id, variables.SESSION_ID), title] },
  update_session: {
    prepare: session,
    shows: async (_last, { world, variables }) => {
      const { title } = await world.call("GET", `/v1/sessions/${variables.SESSION_ID}`);
      return [same(title, "About Ada")];
    },
  },
  delete_session: {
    prepare: session,
    shows: async ({ id }, { world, variables }) => {
      await world.call("GET", `/v1/sessions/${variables.SESSION_ID}`, { status: 404 });
      return [id, true];
    },
  },
  reset_session: {
    prepare: session,
    shows: async ({ id }, { world, variables }) => {
      assert.deepEqual((await world.call("GET", `/v1/sessions/${variables.SESSION_ID}/messages`)).data, []);
      return [id, 0];
    },
  },
  export_session: { prepare: session, shows: ({ session: { id }, messages }) => [id, same(messages.length, 2)] },
  list_session_messages: { prepare: session, shows: conversation },
  delete_session_message: {
    prepare: message,
    shows: async ({ id }, { world, variables }) => {
      const { data } = await world.call("GET", `/v1/sessions/${variables.SESSION_ID}/messages`);
      assert.deepEqual(data.map(({ role }) => role), ["assistant"]);
      return [id, true];
    },
  },
  list_session_tool_executions: { prepare: (world) => world.session({ content: "What time is it?" }), shows: listed("tool", "status", "result") },
  get_session_turn: { prepare: session, shows: (last) => ["complete", answer(last)] },
  "get_session_turn.stream": {
    prepare: session,
    prints: streamed,
  },
  get_usage: { prepare: (world) => world.usage(), shows: listed("day", "model", "tokens", "micro_dollars") },
  "get_usage.csv": { prepare: (world) => world.usage(), prints: (output) => assert.match(output, /^day,model,key_id,.*\r\n\d{4}-\d\d-\d\d,"scripted-model",key_/) },
  get_health: { shows: ({ status }) => [same(status, "ok")] },

  get_admin_health: { shows: ({ status, problems }) => [same(status, "ok"), JSON.stringify(same(problems, []))] },
  list_tenants: { prepare: sharedTenant, shows: listed("id", "name", "tier") },
  create_tenant: {
    shows: async ({ id }, { world }) => {
      const { name, system_prompt: prompt } = await world.admin("GET", `/tenants/${id}`);
      assert.deepEqual([name, prompt], ["Example", "Be brief."]);
      return [id];
    },
  },
  get_tenant: { prepare: sharedTenant, shows: ({ name, version }) => [name, version, `"${version}"`] },
  replace_tenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      const { name, version, system_prompt: prompt } = await world.admin("GET", `/tenants/${variables.TENANT_ID}`);
      assert.deepEqual([name, prompt], ["Example", "Be brief."]);
      return [name, version];
    },
  },
  update_tenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      const { limits, version } = await world.admin("GET", `/tenants/${variables.TENANT_ID}`);
      return [same(limits.requests_per_minute, 120), version];
    },
  },
  delete_tenant: {
    prepare: newTenant,
    shows: async (_last, { world, variables }) => {
      await world.admin("GET", `/tenants/${variables.TENANT_ID}`, undefined, { status: 404 });
      return [variables.TENANT_ID, true];
    },
  },
  get_tenant_usage: { prepare: sharedTenant, shows: listed("day", "model", "key_id", "tokens") },
  list_tenant_sessions: { prepare: sharedTenant, shows: listed("id", "token_total") },
  get_tenant_session: { prepare: sharedTenant, shows: ({ id, token_total: tokens }, { variables }) => [same(id, variables.SESSION_ID), tokens] },
  list_tenant_session_messages: { prepare: sharedTenant, shows: conversation },
  export_tenant: { prepare: sharedTenant, prints: records },
  erase_tenant: {
    prepare: newTenant,
    // The first request erases the session and continues; curl sends one request.
    shows: async (last, { world, variables, extension }) => {
      const { data } = await world.admin("GET", `/tenants/${variables.TENANT_ID}/sessions`);
      assert.deepEqual(data, []);
      assert.equal(last.erased, extension !== "sh");
      return [variables.TENANT_ID, true];
    },
  },
  list_usage: { prepare: sharedTenant, shows: listed("tenant_id", "tokens", "micro_dollars") },
  list_keys: { prepare: sharedTenant, shows: listed("id", "name") },
  create_key: {
    prepare: sharedTenant,
    shows: async ({ id, key }, { world }) => {
      await world.call("GET", "/v1/models", { key });
      return [id, key];
    },
  },
  get_key: { prepare: sharedTenant, shows: ({ name, scopes: [scope] }) => [same(name, "server"), same(scope, "chat")] },
  update_key: {
    prepare: newTenant,
    shows: async ({ id }, { world, variables }) => {
      const { limits } = await world.admin("GET", `/tenants/${variables.TENANT_ID}/keys/${variables.KEY_ID}`);
      assert.deepEqual([limits.requests_per_minute, limits.burst], [60, 10]);
      return [id, "requests_per_minute", 60, "burst", 10];
    },
  },
  rotate_key: {
    prepare: newTenant,
    shows: async ({ id, key }, { world, variables }) => {
      for (const works of [key, variables.key]) await world.call("GET", "/v1/models", { key: works });
      return [id, key];
    },
  },
  revoke_key: {
    prepare: newTenant,
    shows: async ({ id, revoked_at: at }, { world, variables }) => {
      await world.call("GET", "/v1/models", { key: variables.key, status: 401 });
      return [id, at];
    },
  },
  list_admin_tokens: { shows: listed("id", "name", "revoked_at") },
  create_admin_token: {
    shows: async ({ id, token: text }, { world }) => {
      await world.admin("GET", "/health", undefined, { token: text });
      return [id, text];
    },
  },
  revoke_admin_token: {
    prepare: token,
    shows: async ({ id, revoked_at: at }, { world, variables }) => {
      await world.admin("GET", "/health", undefined, { token: variables.token, status: 401 });
      return [id, at];
    },
  },
  list_audit_entries: { prepare: sharedTenant, shows: listed("at", "actor", "action", "target") },
};

/** The case of an example. */
export const caseOf = ({ case: name }) => ({ prepare: nothing, ...(CASES[name] ?? assert.fail(`${name} has no case in example-cases.mjs`)) });
