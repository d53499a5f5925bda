// Deployments, rollbacks and secrets against a stand-in for wrangler that accepts the arguments of the real one.
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { parseArguments } from "./arguments.mjs";
import { Checkout } from "./checkout.mjs";
import { acceptedArguments } from "./commands.mjs";

const DEPLOY = ["deploy", "--no-build"];
const PROVIDERS = JSON.stringify([{ name: "house", kind: "openai", base_url: "https://models.example/v1", key: "HOUSE_KEY" }]);
const SECRET = "canary-of-the-house-key";

let accepted;
let checkout;
before(async () => (accepted = await acceptedArguments()));
beforeEach(async () => {
  checkout?.close();
  checkout = await Checkout.create(accepted);
});
after(() => checkout?.close());

/** Runs a command that must succeed. */
async function run(args, options) {
  const result = await checkout.xtask(args, options);
  assert.equal(result.code, 0, `${args.join(" ")}\n${result.out}${result.err}`);
  return result;
}

/** Runs a command that must fail; returns its error. */
async function fail(args, options) {
  const result = await checkout.xtask(args, options);
  assert.equal(result.code, 1, result.out + result.err);
  return result.err;
}

/** The account without what differs between two equal deployments: ids, times and generated values. */
function outline() {
  const { databases, namespaces, queues, workers } = checkout.account;
  const running = Object.keys(workers).sort().map((name) => [name, checkout.running(name).commit, checkout.running(name).shares, Object.keys(checkout.running(name).secrets)]);
  const config = checkout.running("clawless-gateway").version.config;
  return { databases: databases.map(({ name, migrations }) => [name, migrations]), namespaces: namespaces.map(({ title }) => title), queues: queues.toSorted(), running, services: config.services?.map(({ service }) => service) };
}

function useHouseProvider() {
  checkout.replace("wrangler/environments.jsonc", '"vars": {}', `"vars": { "gateway": { "PROVIDERS": ${JSON.stringify(PROVIDERS)} } }`);
  checkout.write(".clawless/house.env", `HOUSE_KEY=${SECRET}\n`);
  return checkout.commit("Use the model server of the house");
}

describe("the stand-in", () => {
  test("refuses_arguments_that_wrangler_does_not_have", () => {
    assert.deepEqual(accepted["d1 list"].options["--json"], "boolean");
    assert.equal(accepted.deploy.options["--secrets-file"], "string");
    for (const argv of [["d1", "list", "--yaml"], ["deploy", "--tag"], ["d1", "create"], ["queues", "info", "a", "b"], ["d2", "list"], ["secret", "put", "A", "--value", "x"], ["queues", "list", "--json"]]) {
      assert.throws(() => parseArguments(accepted, argv), /argument|command/, argv.join(" "));
    }
  });
});

describe("a first deployment", () => {
  test("creates_everything_in_the_order_of_the_bindings_and_tests_the_result", async () => {
    const commit = useHouseProvider();
    const { out, err } = await run([...DEPLOY, "--secrets-file", ".clawless/house.env"]);
    const uploads = checkout.calls.filter((call) => call.startsWith("deploy ")).map((call) => /production\/([\w-]+)\.json/.exec(call)[1]);
    assert.deepEqual(uploads, ["gateway-without-services", "admin", "widget-server", "gateway"]);
    const migrated = checkout.calls.findIndex((call) => call.startsWith("d1 migrations apply"));
    assert.ok(migrated >= 0 && migrated < checkout.calls.findIndex((call) => call.startsWith("deploy ")), "migrations come first");
    for (const worker of ["clawless-gateway", "clawless-admin", "clawless-widget-server"]) assert.equal(checkout.running(worker).commit, commit);
    assert.deepEqual(Object.keys(checkout.running("clawless-gateway").secrets), ["HOUSE_KEY", "SIGNING_KEY"]);
    const { ADMIN_TOKEN } = checkout.running("clawless-admin").secrets;
    assert.match(ADMIN_TOKEN, /^[0-9a-f]{64}$/);
    // The ids stand in the file of the environments, beside its comments.
    const recorded = checkout.read("wrangler/environments.jsonc");
    for (const id of [checkout.account.databases[0].uuid, checkout.account.namespaces[0].id]) assert.ok(recorded.includes(id));
    assert.match(recorded, /\/\/ The Cloudflare account/);
    // Each Worker that reads the database has its id.
    for (const worker of ["clawless-gateway", "clawless-admin", "clawless-widget-server"]) {
      assert.deepEqual(checkout.running(worker).version.config.d1_databases.map((it) => it.database_id), [checkout.account.databases[0].uuid], worker);
    }
    // The smoke test made calls, and deleted its tenant.
    assert.ok(checkout.requests.includes("POST /v1/chat/completions"));
    assert.equal(checkout.tenants.size, 0);
    // Secrets are in no output, no argument and no file but the token's, which only its owner can read.
    const { SIGNING_KEY } = checkout.running("clawless-gateway").secrets;
    for (const secret of [SECRET, SIGNING_KEY, ADMIN_TOKEN]) assert.ok(!`${out}${err}${checkout.calls}`.includes(secret));
    const folder = path.join(checkout.dir, ".clawless/deploy/production");
    assert.equal(checkout.read(".clawless/deploy/production/admin-token"), ADMIN_TOKEN);
    assert.equal(statSync(path.join(folder, "admin-token")).mode & 0o777, 0o600);
    for (const file of ["secrets-gateway.json", "secrets-admin.json", "generated-secrets.json"]) assert.ok(!existsSync(path.join(folder, file)), file);
  });

  test("a_second_deployment_creates_nothing_and_keeps_the_secrets", async () => {
    await run(DEPLOY);
    const secrets = checkout.running("clawless-gateway").secrets;
    const commit = checkout.commit("Release two");
    await run(DEPLOY);
    assert.ok(!checkout.calls.some((call) => / create | apply /.test(call)), checkout.calls.join("\n"));
    assert.equal(checkout.calls.filter((call) => call.startsWith("deploy ")).length, 3);
    assert.equal(checkout.running("clawless-gateway").commit, commit);
    assert.deepEqual(checkout.running("clawless-gateway").secrets, secrets);
  });

  test("environments_share_nothing", async () => {
    await run(DEPLOY);
    await run([...DEPLOY, "--env", "staging", "--no-smoke"]);
    const { databases, namespaces, queues, workers } = checkout.account;
    assert.deepEqual(databases.map(({ name }) => name), ["clawless", "clawless-staging"]);
    assert.deepEqual(namespaces.map(({ title }) => title), ["clawless-cache", "clawless-cache-staging"]);
    assert.deepEqual(queues.toSorted(), ["clawless-sends", "clawless-sends-dead", "clawless-sends-dead-staging", "clawless-sends-staging"]);
    assert.equal(Object.keys(workers).length, 6);
    const { config } = checkout.running("clawless-gateway-staging").version;
    assert.deepEqual(config.services.map(({ service }) => service), ["clawless-admin-staging", "clawless-widget-server-staging"]);
    assert.notEqual(checkout.running("clawless-gateway-staging").secrets.SIGNING_KEY, checkout.running("clawless-gateway").secrets.SIGNING_KEY);
  });

  test("a_domain_and_routes_replace_the_address_of_the_platform", async () => {
    checkout.replace("wrangler/environments.jsonc", '"domain": null', '"domain": "api.example.com"');
    checkout.replace("wrangler/environments.jsonc", '"routes": []', '"routes": [{ "pattern": "example.com/v1/*", "zone_name": "example.com" }]');
    checkout.commit("Use our domain");
    const { out } = await run([...DEPLOY, "--no-smoke"]);
    assert.deepEqual(checkout.account.workers["clawless-gateway"].routes, [{ pattern: "api.example.com", custom_domain: true }, { pattern: "example.com/v1/*", zone_name: "example.com" }]);
    assert.deepEqual(checkout.account.workers["clawless-admin"].routes, []);
    assert.match(out, /address +https:\/\/api\.example\.com/);
  });
});

describe("an interrupted deployment", () => {
  test("killed_before_or_after_any_call_and_run_again_it_has_the_same_result", async () => {
    useHouseProvider();
    const command = [...DEPLOY, "--secrets-file", ".clawless/house.env"];
    const empty = checkout.account;
    const environments = checkout.read("wrangler/environments.jsonc");
    await run(command);
    const [expected, calls] = [outline(), checkout.calls.length];
    assert.ok(calls >= 20, `${calls} calls`);
    for (let call = 1; call <= calls; call += 1) {
      for (const moment of ["before", "after"]) {
        checkout.git("clean", "-fdxq", ".clawless/deploy");
        checkout.write("wrangler/environments.jsonc", environments);
        checkout.setAccount(empty);
        const killed = await checkout.xtask(command, { interruption: { call, moment } });
        assert.equal(killed.signal, "SIGKILL", `${moment} call ${call}: ${killed.err}`);
        await run(command);
        assert.deepEqual(outline(), expected, `killed ${moment} call ${call}`);
        // The token that the operator finds is the one that opens the API.
        assert.equal(checkout.read(".clawless/deploy/production/admin-token"), checkout.running("clawless-admin").secrets.ADMIN_TOKEN, `killed ${moment} call ${call}`);
      }
    }
  });
});

describe("the checks", () => {
  test("refuse_uncommitted_changes_and_name_them", async () => {
    checkout.write("wrangler/admin.jsonc", `${checkout.read("wrangler/admin.jsonc")}\n`);
    assert.match(await fail(DEPLOY), /uncommitted changes.*wrangler\/admin\.jsonc/s);
    assert.equal(checkout.calls.length, 0);
    await run([...DEPLOY, "--allow-dirty", "--no-smoke"]);
    assert.match(checkout.running("clawless-gateway").commit, /^[0-9a-f]{12}-dirty$/);
  });

  test("refuse_a_configuration_without_a_binding_and_name_it", async () => {
    checkout.replace("wrangler/gateway.jsonc", '"binding": "SENDS"', '"binding": "SEND"');
    checkout.commit("Misspell a binding");
    assert.match(await fail(DEPLOY), /wrangler\/gateway\.jsonc lacks the queue SENDS/);
    assert.equal(checkout.calls.length, 0);
  });

  test("refuse_without_a_login_or_with_another_account", async () => {
    checkout.change((account) => (account.isLoggedIn = false));
    assert.match(await fail(DEPLOY), /not logged in: run `npx wrangler login`/);
    checkout.change((account) => {
      account.isLoggedIn = true;
      account.accounts.push({ id: "b".repeat(32), name: "Second" });
    });
    assert.match(await fail(DEPLOY), /several accounts: set `account_id`.*Second/s);
    checkout.replace("wrangler/environments.jsonc", '"account_id": null', `"account_id": "${"c".repeat(32)}"`);
    assert.match(await fail(DEPLOY), /no access to account c{32}/);
    assert.ok(checkout.calls.every((call) => call.startsWith("whoami")));
  });

  test("a_recorded_database_that_is_gone_is_not_replaced_by_an_empty_one", async () => {
    await run(DEPLOY);
    checkout.change((account) => (account.databases = []));
    assert.match(await fail(DEPLOY), /no database clawless .*wrong account, or the database was deleted/);
    assert.deepEqual(checkout.account.databases, []);
  });

  test("a_secret_without_a_value_is_named_before_the_first_change_of_the_database", async () => {
    useHouseProvider();
    const error = await fail(DEPLOY);
    assert.match(error, /the secret HOUSE_KEY of gateway is not set \(the key of the provider `house`\)/);
    assert.ok(!checkout.calls.some((call) => /migrations|^deploy /.test(call)));
    checkout.write(".clawless/house.env", `HOUSE_KYE=${SECRET}\n`);
    const misspelt = await fail([...DEPLOY, "--secrets-file", ".clawless/house.env"]);
    assert.match(misspelt, /`HOUSE_KYE`, which no Worker uses/);
    assert.ok(!misspelt.includes(SECRET));
  });

  test("a_migration_that_removes_something_is_refused_until_it_is_allowed", async () => {
    await run(DEPLOY);
    checkout.write("migrations/900_contract.sql", "ALTER TABLE tool_executions DROP COLUMN key_id;\n");
    checkout.commit("Drop a column");
    assert.match(await fail(DEPLOY), /900_contract\.sql removes what deployed Workers may still use.*--contract/s);
    assert.ok(!checkout.account.databases[0].migrations.includes("900_contract.sql"));
    await run([...DEPLOY, "--contract"]);
    assert.ok(checkout.account.databases[0].migrations.includes("900_contract.sql"));
  });

  test("an_unknown_environment_is_refused_with_the_known_ones", async () => {
    assert.match(await fail([...DEPLOY, "--env", "stagin"]), /no environment is named `stagin` in wrangler\/environments\.jsonc: use production, staging/);
  });

  test("an_error_of_the_platform_comes_with_its_command_its_log_and_what_to_do", async () => {
    checkout.change((account) => (account.failure = { command: "deploy", message: "Authentication error [code: 10000]" }));
    assert.match(await fail(DEPLOY), /`wrangler deploy --config .*whole output is in .*deploy\.log.*code: 10000.*The token has no permission for this/s);
    // A question without a clear answer is not taken as "does not exist", which would make this a first deployment.
    checkout.change((account) => (account.failure = { command: "deployments list", message: "Internal error [code: 10013]" }));
    const uploads = checkout.account.workers;
    assert.match(await fail(DEPLOY), /`wrangler deployments list .*failed.*code: 10013/s);
    assert.deepEqual(checkout.account.workers, uploads);
  });
});

describe("a dry run", () => {
  test("prints_the_calls_of_the_deployment_in_their_order_and_changes_nothing", async () => {
    const environments = checkout.read("wrangler/environments.jsonc");
    const { out } = await run([...DEPLOY, "--dry-run"]);
    assert.equal(checkout.calls.length, 0);
    assert.deepEqual(checkout.account.workers, {});
    assert.equal(checkout.read("wrangler/environments.jsonc"), environments);
    const planned = out.split("\n").filter((line) => line.startsWith("! wrangler ")).map((line) => line.slice("! wrangler ".length));
    await run(DEPLOY);
    const made = checkout.changes.map((call) => checkout.calls[call - 1]);
    assert.deepEqual(planned.map((line) => line.replaceAll("'", "")), made);
  });
});

describe("a gradual deployment", () => {
  test("gives_the_new_version_its_share_until_it_has_all", async () => {
    const first = checkout.git("rev-parse", "HEAD").slice(0, 12);
    assert.match(await fail([...DEPLOY, "--percentage", "10"]), /deploy it without --percentage first/);
    await run(DEPLOY);
    const second = checkout.commit("Release two");
    await run([...DEPLOY, "--percentage", "10"]);
    assert.deepEqual([checkout.running("clawless-gateway").commit, checkout.running("clawless-gateway").shares], [first, [10, 90]]);
    assert.equal(checkout.running("clawless-admin").commit, second);
    await run([...DEPLOY, "--percentage", "50"]);
    assert.ok(!checkout.calls.some((call) => call.startsWith("versions upload") || call.startsWith("deploy ")), "nothing is uploaded again");
    await run([...DEPLOY, "--percentage", "100"]);
    assert.deepEqual([checkout.running("clawless-gateway").commit, checkout.running("clawless-gateway").shares], [second, [100]]);
    assert.equal(checkout.account.workers["clawless-gateway"].versions.length, 3);
  });

  test("killed_before_or_after_any_change_and_run_again_it_has_the_same_shares", async () => {
    await run(DEPLOY);
    const deployed = checkout.account;
    checkout.commit("Release two");
    const command = [...DEPLOY, "--percentage", "10", "--no-smoke"];
    await run(command);
    for (const call of checkout.changes) {
      for (const moment of ["before", "after"]) {
        checkout.setAccount(deployed);
        const killed = await checkout.xtask(command, { interruption: { call, moment } });
        assert.equal(killed.signal, "SIGKILL");
        await run(command);
        assert.deepEqual(checkout.running("clawless-gateway").shares, [10, 90]);
        assert.equal(checkout.account.workers["clawless-gateway"].versions.length, 3);
      }
    }
  });
});

describe("a rollback", () => {
  /** Deploys two releases; returns their commits. */
  async function twoReleases(change = () => {}) {
    await run([...DEPLOY, "--no-smoke"]);
    const first = checkout.running("clawless-gateway").commit;
    change();
    const second = checkout.commit("Release two");
    await run([...DEPLOY, "--no-smoke", "--contract"]);
    return [first, second];
  }

  test("returns_every_worker_to_the_commit_before_and_tests_it", async () => {
    const [first, second] = await twoReleases();
    assert.match(await fail(["rollback"]), /nothing was changed: confirm in a terminal, or pass --yes/);
    checkout.requests.length = 0;
    const { out } = await run(["rollback", "--yes"]);
    assert.match(out, new RegExp(`Rollback of production from ${second} to ${first}`));
    for (const worker of ["clawless-gateway", "clawless-admin", "clawless-widget-server"]) assert.equal(checkout.running(worker).commit, first);
    assert.match(checkout.calls.find((call) => call.startsWith("rollback ")), /clawless-gateway/, "the gateway comes first");
    assert.ok(checkout.requests.includes("POST /v1/chat/completions"));
    // Repeated, it goes no further.
    const { err } = await run(["rollback", "--yes"]);
    assert.match(err, new RegExp(`All Workers of production run ${first} already`));
    assert.match(await fail(["rollback", "--yes", "--to", "abc"]), /clawless-gateway has no version of abc among its last deployments/);
    // Forward again by name.
    await run(["rollback", "--yes", "--to", second]);
    assert.equal(checkout.running("clawless-admin").commit, second);
  });

  test("killed_before_or_after_any_change_and_run_again_it_arrives_at_the_same_commit", async () => {
    await run([...DEPLOY, "--no-smoke"]);
    checkout.commit("Release two");
    await run([...DEPLOY, "--no-smoke"]);
    const [second, third] = [checkout.running("clawless-gateway").commit, checkout.commit("Release three")];
    await run([...DEPLOY, "--no-smoke"]);
    assert.equal(checkout.running("clawless-gateway").commit, third);
    const deployed = checkout.account;
    await run(["rollback", "--yes", "--no-smoke"]);
    assert.equal(checkout.changes.length, 3);
    for (const call of checkout.changes) {
      for (const moment of ["before", "after"]) {
        checkout.setAccount(deployed);
        const killed = await checkout.xtask(["rollback", "--yes", "--no-smoke"], { interruption: { call, moment } });
        assert.equal(killed.signal, "SIGKILL");
        await run(["rollback", "--yes", "--no-smoke"]);
        for (const worker of ["clawless-gateway", "clawless-admin", "clawless-widget-server"]) assert.equal(checkout.running(worker).commit, second, `${moment} call ${call}`);
      }
    }
  });

  test("ends_a_gradual_deployment", async () => {
    await run([...DEPLOY, "--no-smoke"]);
    const first = checkout.running("clawless-gateway").commit;
    checkout.commit("Release two");
    for (const percentage of ["10", "50"]) await run([...DEPLOY, "--no-smoke", "--percentage", percentage]);
    await run(["rollback", "--yes"]);
    assert.deepEqual([checkout.running("clawless-gateway").commit, checkout.running("clawless-gateway").shares], [first, [100]]);
    assert.equal(checkout.running("clawless-admin").commit, first);
  });

  test("a_changed_secret_is_no_release", async () => {
    const [first] = await twoReleases();
    await run(["secrets", "set", "SIGNING_KEY", "--generate"]);
    await run(["rollback", "--yes", "--no-smoke"]);
    assert.equal(checkout.running("clawless-gateway").commit, first);
  });

  test("is_refused_across_a_durable_object_migration", async () => {
    const [first, second] = await twoReleases(() => checkout.replace("wrangler/gateway.jsonc", '"new_sqlite_classes": ["TenantLedger"] }', '"new_sqlite_classes": ["TenantLedger"] }, { "tag": "v2", "new_sqlite_classes": ["Other"] }'));
    assert.match(await fail(["rollback", "--yes"]), new RegExp(`from ${second} to ${first} is not possible: the Durable Object migration v2 lies between them`));
    assert.equal(checkout.running("clawless-gateway").commit, second);
  });

  test("is_refused_across_a_migration_that_removed_something", async () => {
    const [, second] = await twoReleases(() => checkout.write("migrations/900_contract.sql", "DROP TABLE IF EXISTS old_receipts;\n"));
    assert.match(await fail(["rollback", "--yes"]), /900_contract\.sql lies between them and removes what the older Workers need/);
    assert.equal(checkout.running("clawless-admin").commit, second);
  });

  test("is_possible_across_a_migration_that_only_adds", async () => {
    const [first] = await twoReleases(() => checkout.write("migrations/900_expand.sql", "ALTER TABLE tool_executions ADD COLUMN extra TEXT;\n"));
    await run(["rollback", "--yes", "--no-smoke"]);
    assert.equal(checkout.running("clawless-gateway").commit, first);
    assert.ok(checkout.account.databases[0].migrations.includes("900_expand.sql"), "the schema stays");
  });
});

describe("secrets", () => {
  test("are_listed_with_what_is_missing_and_set_from_standard_input", async () => {
    useHouseProvider();
    await run([...DEPLOY, "--secrets-file", ".clawless/house.env"]);
    const { out } = await run(["secrets"]);
    for (const line of [/gateway +SIGNING_KEY +set/, /gateway +HOUSE_KEY +set +the key of the provider `house`/, /admin +ADMIN_TOKEN +set/]) assert.match(out, line);
    await run(["secrets", "set", "HOUSE_KEY"], { input: "another-canary\n" });
    assert.equal(checkout.running("clawless-gateway").secrets.HOUSE_KEY, "another-canary");
    assert.ok(!checkout.calls.join().includes("another-canary"));
    assert.match(await fail(["secrets", "set", "HOUSE_KEY"], { input: "" }), /no value was given/);
    assert.match(await fail(["secrets", "set", "OTHER"], { input: "x" }), /no Worker uses a secret `OTHER`; they use .*HOUSE_KEY/);
    assert.match(await fail(["secrets", "set", "HOUSE_KEY", "--generate"]), /comes from its provider/);
    checkout.change(({ workers }) => delete workers["clawless-gateway"].versions.at(-1).secrets.HOUSE_KEY);
    const missing = await checkout.xtask(["secrets"]);
    assert.match(missing.out, /gateway +HOUSE_KEY +MISSING/);
    assert.equal(missing.code, 1);
    await run(["secrets", "load", ".clawless/house.env"]);
    assert.equal(checkout.running("clawless-gateway").secrets.HOUSE_KEY, SECRET);
  });

  test("a_generated_token_of_an_operator_goes_to_a_private_file", async () => {
    await run([...DEPLOY, "--no-smoke"]);
    const before = checkout.running("clawless-admin").secrets.ADMIN_TOKEN;
    const { out, err } = await run(["secrets", "set", "ADMIN_TOKEN", "--generate"]);
    const { ADMIN_TOKEN } = checkout.running("clawless-admin").secrets;
    assert.notEqual(ADMIN_TOKEN, before);
    assert.equal(checkout.read(".clawless/deploy/production/admin-token"), ADMIN_TOKEN);
    assert.ok(!`${out}${err}`.includes(ADMIN_TOKEN));
  });
});

describe("a smoke test", () => {
  test("deletes_its_tenant_after_a_failed_call_and_says_what_failed", async () => {
    await run(DEPLOY);
    const token = checkout.running("clawless-admin").secrets.ADMIN_TOKEN;
    const env = { CLAWLESS_ADMIN_TOKEN: token };
    checkout.respond = (request, url) => (url.pathname === "/v1/chat/completions" ? [503, { error: { message: "no model" } }] : undefined);
    assert.match(await fail(["smoke", "--url", checkout.url], { env }), /smoke test, chat with m: status 503 instead of \[200\]: .*no model/);
    assert.equal(checkout.tenants.size, 0);
    checkout.respond = undefined;
    // A tenant that an interrupted test left is deleted by the next.
    checkout.tenants.add("ten_old").add("ten_other");
    checkout.names.set("ten_old", "smoke-test-1").set("ten_other", "smoke-tests-are-fine");
    await run(["smoke", "--url", checkout.url], { env });
    assert.deepEqual([...checkout.tenants], ["ten_other"]);
  });

  test("a_failed_one_after_a_deployment_names_the_way_back", async () => {
    checkout.respond = (_request, url) => (url.pathname === "/v1/models" ? [500, {}] : undefined);
    const error = await fail(DEPLOY);
    assert.match(error, /production is deployed, but its test failed; to return to the version before, run `cargo xtask rollback --env production`: smoke test, list of models: status 500/);
  });
});
