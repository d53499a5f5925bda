// Checks of the API's descriptions by the programs that other people use: linters, a validator, a generator of
// clients, and a fuzzer that calls a running stack. `cargo xtask test` installs them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../harness/bundle.mjs";
import { assertMatches } from "../harness/contract.mjs";
import { ADMIN, GATEWAY } from "../harness/description.mjs";
import { startStack } from "../harness/stack.mjs";

/** The folder of the npm packages, and the Python of the others. */
const PACKAGES = process.env.CLAWLESS_DESCRIPTION_PACKAGES;
const PYTHON = process.env.CLAWLESS_DESCRIPTION_PYTHON;
const SURFACES = ["openapi", "admin-openapi"].map((name) => ({ name, file: path.join(ROOT, `docs/api/${name}.json`) }));
const here = (name) => path.join(ROOT, "tests/description", name);
const program = (name) => path.join(PACKAGES, "node_modules", name);

/** Runs a program to its end; fails with its output unless it exits with 0. */
function run(command, args, { timeout = 120_000 } = {}) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: "1", REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
    execFile(command, args, { cwd: folder, env, timeout, maxBuffer: 64 << 20 }, (error, stdout, stderr) => (error ? reject(new Error(`${path.basename(command)} ${args[0]} failed:\n${stdout.slice(-6000)}\n${stderr.slice(-2000)}`)) : resolve(stdout)));
  });
}

let folder;
before(() => (folder = mkdtempSync(path.join(tmpdir(), "clawless-description-"))));
after(() => rmSync(folder, { recursive: true }));

for (const { name, file } of SURFACES) {
  test(`redocly_reports_no_problem_of_${name}`, () => run(process.execPath, [program("@redocly/cli/bin/cli.js"), "lint", "--config", here("redocly.yaml"), file]));

  test(`spectral_reports_no_problem_of_${name}`, () => run(process.execPath, [program("@stoplight/spectral-cli/dist/index.js"), "lint", "--ruleset", here("spectral.yaml"), "--fail-severity", "warn", file]));

  test(`openapi_spec_validator_accepts_${name}`, () => run(PYTHON, ["-m", "openapi_spec_validator", file]));

  test(`types_generated_from_${name}_compile`, async () => {
    const types = path.join(folder, `${name}.d.ts`);
    await run(process.execPath, [program("openapi-typescript/bin/cli.js"), file, "--output", types]);
    const use = path.join(folder, `use-${name}.ts`);
    writeFileSync(use, `import type { paths, components } from "./${name}.js";\nexport type All = [paths, components["schemas"]];\n`);
    await run(process.execPath, [program("typescript/bin/tsc"), "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", types, use]);
  });
}

test("every_example_matches_its_schema", () => {
  let checked = 0;
  for (const { operations, description } of [GATEWAY, ADMIN]) {
    for (const { method, path: name, operation } of operations) {
      const bodies = [operation.requestBody, ...Object.values(operation.responses)];
      for (const { schema, example } of bodies.flatMap((body) => body?.content?.["application/json"] ?? [])) {
        if (example === undefined) continue;
        assertMatches(description, schema, example, `the example of ${method} ${name}`);
        checked += 1;
      }
    }
  }
  assert.ok(checked > 40, `${checked} examples`);
});

describe("schemathesis", () => {
  let stack;
  before(async () => {
    // Limits would hide what is behind them.
    stack = await startStack({ tenants: 2, admin: { without: ["ADMIN_BY_ADDRESS", "ADMIN_BY_TOKEN"] } });
    const unlimited = { requests_per_minute: "unlimited", burst: "unlimited", concurrent: "unlimited" };
    for (const { tenant_id } of stack.tenants) assert.equal((await stack.admin("PATCH", `/tenants/${tenant_id}`, { limits: unlimited })).status, 200);
    const body = JSON.stringify({ id: "my-session" });
    const headers = { authorization: `Bearer ${stack.key}`, "content-type": "application/json" };
    assert.equal((await fetch(`${stack.url}/v1/sessions`, { method: "POST", headers, body })).status, 200);
  });
  after(() => stack?.stop());

  /** Fuzzes the operations of a description with a token. `values` are existing ids for parameters of paths. */
  async function fuzz(file, token, values) {
    const config = path.join(folder, `${path.basename(file)}.toml`);
    const parameters = Object.entries(values).map(([name, value]) => `"path.${name}" = ${JSON.stringify(value)}`);
    writeFileSync(config, `[parameters]\n${parameters.join("\n")}\n`);
    const checks = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance", "response_schema_conformance"];
    await run(PYTHON, ["-m", "schemathesis.cli", "--config-file", config, "run", file, "--url", stack.url, "--header", `authorization: Bearer ${token}`, "--checks", checks.join(","), "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "7", "--workers", "1", "--exclude-operation-id", "deleteTenant", "--request-timeout", "30", "--warnings", "off", "--no-color"], { timeout: 280_000 });
  }

  test("schemathesis_finds_no_undocumented_response_of_the_gateway", () => fuzz(SURFACES[0].file, stack.key, { id: "my-session" }));

  test("schemathesis_finds_no_undocumented_response_of_the_admin_api", async () => {
    const id = stack.tenants[1].tenant_id;
    const { body: key } = await stack.admin("POST", `/tenants/${id}/keys`, { name: "x", scopes: ["chat"] });
    await fuzz(SURFACES[1].file, stack.adminToken, { id, key: key.id, session: "my-session" });
  });
});

test("the_reference_pages_are_small", () => {
  for (const name of ["reference", "admin-reference"]) {
    const html = readFileSync(path.join(ROOT, `docs/api/${name}.html`), "utf8");
    assert.ok(!/(src|href)="(https?:)?\/\//.test(html), "nothing is loaded from another server");
  }
});
