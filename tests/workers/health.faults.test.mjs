// An incomplete deployment: `GET /health` names what is missing, per part: to operators by name, to everyone else by part only.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { describe, test } from "node:test";
import { ROOT } from "../harness/bundle.mjs";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { unknownKey } from "../harness/keys.mjs";
import { BOOTSTRAP_TOKEN, startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

async function withStack(options, use) {
  const stack = await startStack(options);
  try {
    await use(stack);
  } finally {
    await stack.stop();
  }
}

/** Runs a command of the repository: `{ code, err }`. */
async function runXtask(args, env) {
  const child = spawn(process.env.CLAWLESS_XTASK ?? path.join(ROOT, "target/debug/xtask"), args, { env: { ...process.env, NO_COLOR: "1", ...env }, stdio: ["ignore", "ignore", "pipe"] });
  const parts = [];
  child.stderr.on("data", (part) => parts.push(part));
  const [code] = await once(child, "close");
  return { code, err: Buffer.concat(parts).toString() };
}

async function health(stack, token) {
  const response = await fetch(`${stack.url}/health`, { headers: token ? { authorization: `Bearer ${token}` } : {} });
  return { status: response.status, body: await response.json() };
}

/** The names that an operator sees, each with its Worker and part, sorted. */
async function namedProblems(stack, token = stack.adminToken) {
  const { body } = await health(stack, token);
  assert.ok(Array.isArray(body.problems), JSON.stringify(body));
  for (const { reason } of body.problems) assert.ok(reason.length > 0);
  return body.problems.map(({ worker, part, name }) => `${worker} ${part} ${name}`).sort();
}

/** Asserts that a stranger sees which parts do not work, and no name. */
async function assertStrangersSee(stack, status, parts, names) {
  for (const token of [undefined, stack.key, unknownKey(), "x"]) {
    const found = await health(stack, token);
    assert.equal(found.status, status, JSON.stringify(found));
    assert.deepEqual(Object.keys(found.body), ["status", "dependencies"]);
    const missing = Object.entries(found.body.dependencies).filter(([, word]) => word !== "ok");
    assert.deepEqual(missing.map(([part]) => part), parts);
    for (const name of names) assert.ok(!JSON.stringify(found.body).includes(name), name);
  }
}

test("incomplete deployment: a_complete_deployment_is_ok_and_lists_no_problem", () =>
  withStack({}, async (stack) => {
    for (const token of [stack.adminToken, BOOTSTRAP_TOKEN]) {
      const { status, body } = await health(stack, token);
      assert.deepEqual([status, body.status, body.problems], [200, "ok", []]);
    }
    await assertStrangersSee(stack, 200, [], []);
  }));

test("a_deployment_names_its_build_to_operators_and_in_every_line_of_its_log", () =>
  withStack({ vars: { BUILD_COMMIT: "1a2b3c4d5e6f", KEEP_ALIVE_MS: "soon" }, admin: { vars: { BUILD_COMMIT: "6f5e4d3c2b1a" } } }, async (stack) => {
    const { body } = await health(stack, stack.adminToken);
    assert.match(body.build.version, /^\d+\.\d+\.\d+/);
    assert.equal(body.build.commit, "1a2b3c4d5e6f");
    const { body: ofAdmin } = await stack.admin("GET", "/health");
    assert.deepEqual(ofAdmin.build, { version: body.build.version, commit: "6f5e4d3c2b1a" });
    await until(() => stack.logs.some(({ message }) => message.includes('"health check found a problem"')), "a line is logged");
    const lines = stack.logs.filter(({ message }) => message.startsWith("{")).map(({ message }) => JSON.parse(message));
    // The widget server of the tests has no commit.
    const { version } = body.build;
    assert.deepEqual([...new Set(lines.map(({ build }) => build))].sort(), [version, `${version}+1a2b3c4d5e6f`, `${version}+6f5e4d3c2b1a`]);
  }));

test("a_smoke_test_of_a_deployment_passes_and_leaves_no_tenant", () =>
  withStack({ vars: { BUILD_COMMIT: "1a2b3c4d5e6f" } }, async (stack) => {
    const before = await stack.rowCounts();
    const { code, err } = await runXtask(["smoke", "--url", stack.url], { CLAWLESS_ADMIN_TOKEN: BOOTSTRAP_TOKEN });
    assert.equal(code, 0, err);
    for (const step of ["new tenant", "new API key", "list of models", "streamed chat in a session", "the turn is stored", "a revoked key is refused", "the tenant is deleted"]) assert.ok(err.includes(`✓ ${step}`), `${step} in ${err}`);
    assert.deepEqual({ ...(await stack.rowCounts()), audit_log: 0 }, { ...before, audit_log: 0 });
  }));

describe("incomplete deployment: an absent binding of the gateway", () => {
  const CASES = [
    ["DB", "database", 503, []],
    ["CACHE", "cache", 200, []],
    ["LEDGER", "ledger", 503, ["admin"], ["admin ledger LEDGER"]],
    ["SENDS", "queue", 200, []],
    ["KEY_GUESSES", "rate_limits", 200, []],
    ["WIDGET_SESSIONS", "rate_limits", 200, []],
    ["VISITOR_MESSAGES", "rate_limits", 200, []],
    ["VISITOR_REQUESTS", "rate_limits", 200, []],
    ["ADMIN", "admin", 200, []],
    ["WIDGET", "widget", 200, []],
    ["SIGNING_KEY", "configuration", 200, []],
  ];
  for (const [binding, part, status, others, more = []] of CASES) {
    test(`${binding}_is_named`, () =>
      withStack({ without: [binding] }, async (stack) => {
        const expected = [`gateway ${part} ${binding}`, ...more];
        const found = await namedProblems(stack);
        for (const name of expected) assert.ok(found.includes(name), `${name} in ${found}`);
        for (const name of found) assert.ok(name.startsWith("gateway admin") || expected.includes(name), name);
        await assertStrangersSee(stack, status, [part, ...others], [binding]);
        await until(() => stack.logs.some(({ message }) => message.includes('"health check found a problem"') && message.includes(binding)), "the problem is logged");
      }));
  }

  test("AI_is_named_if_a_provider_needs_it", () =>
    withStack({ vars: { PROVIDERS: JSON.stringify([{ name: "workers-ai", kind: "workers_ai" }]) } }, async (stack) => {
      assert.deepEqual(await namedProblems(stack), ["gateway providers AI"]);
    }));
});

describe("incomplete deployment: an absent binding of the admin Worker", () => {
  for (const [binding, part, isUnavailable] of [["DB", "database", true], ["LEDGER", "ledger", true], ["CACHE", "cache", false], ["ADMIN_BY_ADDRESS", "rate_limits", false], ["ADMIN_BY_TOKEN", "rate_limits", false]]) {
    test(`${binding}_is_named`, () =>
      withStack({ admin: { without: [binding] } }, async (stack) => {
        const found = await namedProblems(stack, BOOTSTRAP_TOKEN);
        assert.deepEqual(found, [`admin ${part} ${binding}`, ...(isUnavailable ? ["gateway admin ADMIN"] : [])]);
        await assertStrangersSee(stack, 200, isUnavailable ? ["admin"] : [], [binding]);
      }));
  }

  test("a_short_secret_is_named_and_opens_nothing", () =>
    withStack({ admin: { vars: { ADMIN_TOKEN: "short" } } }, async (stack) => {
      assert.deepEqual(await namedProblems(stack), ["admin configuration ADMIN_TOKEN"]);
      assert.equal((await health(stack, "short")).body.problems, undefined);
    }));
});

describe("incomplete deployment: a broken variable", () => {
  const BROKEN = {
    BODY_LIMIT_BYTES: "4 MB",
    FIRST_BYTE_TIMEOUT_MS: "soon",
    WHOLE_TIMEOUT_MS: "-1",
    IDLE_TIMEOUT_MS: "1.5",
    KEEP_ALIVE_MS: "",
    EARLY_HEAD_MS: "later",
    TOTAL_TIMEOUT_MS: "1 h",
    LEDGER_QUEUE_LIMIT: "many",
    ALLOW_PRIVATE_PROVIDERS: "yes",
    CORS_ORIGINS: "a.example",
    LOG_LEVEL: "loud",
    SIGNING_KEY: "weak-secret-canary",
  };

  test("each_is_named_without_its_value_if_it_is_a_secret", () =>
    withStack({ vars: BROKEN }, async (stack) => {
      const found = await namedProblems(stack);
      // Without private addresses the scripted provider is refused.
      assert.deepEqual(found, [...Object.keys(BROKEN).map((name) => `gateway configuration ${name}`), "gateway providers local"].sort());
      assert.ok(!JSON.stringify(await health(stack, stack.adminToken)).includes(BROKEN.SIGNING_KEY));
      await assertStrangersSee(stack, 200, ["providers", "configuration"], Object.keys(BROKEN));
    }));

  test("the_other_routes_work_with_the_defaults", () =>
    withStack({ vars: { IDLE_TIMEOUT_MS: "soon", SIGNING_KEY: "weak" } }, (stack) => complete(stack, {})));

  test("the_secret_of_a_provider_is_named", () =>
    withStack({ vars: (upstream) => ({ PROVIDERS: JSON.stringify([upstream.provider({ key: "PROVIDER_KEY" })]) }) }, async (stack) => {
      assert.deepEqual(await namedProblems(stack), ["gateway providers PROVIDER_KEY"]);
      await assertStrangersSee(stack, 200, ["providers"], ["PROVIDER_KEY"]);
    }));

  for (const [name, PROVIDERS] of Object.entries({ empty: "", an_empty_list: "[]", not_a_list: "{}", not_json: "[", without_a_name: '[{"kind":"openai"}]', of_an_unknown_kind: '[{"name":"a","kind":"b"}]', with_an_unknown_profile: '[{"name":"a","kind":"openai","profile":"b"}]' })) {
    test(`PROVIDERS_${name}_is_named_and_only_model_calls_fail`, () =>
      withStack({ vars: { PROVIDERS } }, async (stack) => {
        assert.deepEqual(await namedProblems(stack), ["gateway providers PROVIDERS"]);
        await assertStrangersSee(stack, 503, ["providers"], ["PROVIDERS"]);
        await expectError(await postChat(stack, chatBody()), 503, { code: "service_unavailable" });
        await expectError(await postChat(stack, chatBody({ model: "auto", stream: true })), 503, { code: "service_unavailable" });
        const headers = { authorization: `Bearer ${stack.key}` };
        for (const path of ["/v1/models", "/v1/sessions"]) {
          const response = await fetch(`${stack.url}${path}`, { headers });
          assert.equal(response.status, 200, await response.text());
        }
        assert.equal((await stack.admin("GET", "/tenants")).status, 200);
      }));
  }
});

test("incomplete deployment: migrations_that_are_not_applied_are_named", () =>
  withStack({}, async (stack) => {
    await stack.rows("DROP INDEX sends_by_session");
    await stack.rows("ALTER TABLE tool_executions RENAME COLUMN key_id TO other");
    const expected = ["010_sends.sql", "011_tool_execution_keys.sql"].flatMap((name) => [`admin migrations ${name}`, `gateway migrations ${name}`]);
    assert.deepEqual(await namedProblems(stack), ["gateway admin ADMIN", ...expected].sort());
    await assertStrangersSee(stack, 503, ["migrations", "admin"], ["sends"]);
  }));
