// Fault 25: migrations converge when they are applied twice or interrupted.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { migrations, ROOT } from "../harness/bundle.mjs";
import { openDatabases, SCHEMA, schemaOf } from "../harness/databases.mjs";
import { migrate } from "../harness/stack.mjs";

const FILES = migrations();

/** The schema after all migrations. */
let reference;
before(async () => {
  const { databases, stop } = await openDatabases(1);
  try {
    await migrate(databases[0]);
    reference = await schemaOf(databases[0]);
    assert.ok(reference.length > FILES.length, "the migrations create tables and indexes");
  } finally {
    await stop();
  }
});

describe("on D1", () => {
  test("applying_all_of_them_again_changes_nothing", async () => {
    const { databases, stop } = await openDatabases(1);
    try {
      await migrate(databases[0]);
      await migrate(databases[0]);
      assert.deepEqual(await schemaOf(databases[0]), reference);
    } finally {
      await stop();
    }
  });

  test("interrupted_after_any_statement_and_restarted_they_converge", async () => {
    const statements = FILES.flatMap((file) => file.statements);
    const { databases, stop } = await openDatabases(statements.length);
    try {
      for (const [index, database] of databases.entries()) {
        for (const statement of statements.slice(0, index + 1)) await database.prepare(statement).run();
        await migrate(database);
        assert.deepEqual(await schemaOf(database), reference, `interrupted after statement ${index + 1}`);
      }
    } finally {
      await stop();
    }
  });

  test("a_file_that_fails_at_its_end_is_rolled_back", async () => {
    const { databases, stop } = await openDatabases(1);
    const [database] = databases;
    const run = (list) => database.batch(list.map((statement) => database.prepare(statement)));
    try {
      for (const { statements } of FILES) {
        const schemaBefore = await schemaOf(database);
        await assert.rejects(run([...statements, "INSERT INTO a_table_that_is_not_there VALUES (1)"]), /no such table/);
        assert.deepEqual(await schemaOf(database), schemaBefore);
        await run(statements);
      }
      assert.deepEqual(await schemaOf(database), reference);
    } finally {
      await stop();
    }
  });
});

describe("with wrangler's command", () => {
  let scratch;
  before(() => (scratch = mkdtempSync(path.join(tmpdir(), "clawless-migrations-"))));
  after(() => rmSync(scratch, { recursive: true, force: true }));

  /** A folder with the migrations, a configuration and an empty state folder. */
  function createProject(name) {
    const dir = path.join(scratch, name);
    mkdirSync(dir);
    cpSync(path.join(ROOT, "migrations"), path.join(dir, "migrations"), { recursive: true });
    const binding = { binding: "DB", database_name: "clawless", database_id: "00000000-0000-0000-0000-000000000000", migrations_dir: "migrations" };
    writeFileSync(
      path.join(dir, "wrangler.json"),
      JSON.stringify({ name: "clawless-gateway", compatibility_date: "2026-11-01", d1_databases: [binding] }),
    );
    return dir;
  }

  function start(dir) {
    const wrangler = path.join(ROOT, "node_modules/wrangler/bin/wrangler.js");
    const child = spawn(
      process.execPath,
      [wrangler, "d1", "migrations", "apply", "clawless", "--local", "--persist-to", path.join(dir, "state")],
      {
        cwd: dir,
        detached: true, // a separate process group, so that its workerd is killed too
        env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: path.join(dir, "logs") },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => output.push(part));
    const ended = once(child, "close").then(([code]) => ({ code, text: Buffer.concat(output).toString() }));
    return { child, ended };
  }

  async function apply(dir) {
    const { code, text } = await start(dir).ended;
    assert.equal(code, 0, text);
    return text;
  }

  /** Queries the database on disk, if it exists yet. */
  function queryDisk(dir, sql) {
    const folder = path.join(dir, "state", "v3", "d1", "miniflare-D1DatabaseObject");
    const file = readdirSync(folder).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
    const database = new DatabaseSync(path.join(folder, file), { readOnly: true });
    try {
      return database.prepare(sql).all().map((row) => ({ ...row }));
    } finally {
      database.close();
    }
  }

  function applied(dir) {
    try {
      return queryDisk(dir, "SELECT name FROM d1_migrations ORDER BY id").map(({ name }) => name);
    } catch (error) {
      // The folder, the file or the table does not exist yet, or the writer has locked the database.
      assert.ok(["ENOENT", "ERR_SQLITE_ERROR", "ERR_INVALID_ARG_TYPE"].includes(error.code), error);
      return [];
    }
  }

  function assertWhole(dir) {
    assert.deepEqual(queryDisk(dir, SCHEMA), reference);
    assert.deepEqual(applied(dir), FILES.map(({ name }) => name), "each is recorded once, in order");
  }

  test("applying_them_twice_changes_nothing", async () => {
    const dir = createProject("twice");
    await apply(dir);
    assert.match(await apply(dir), /No migrations to apply/);
    assertWhole(dir);
  });

  test("killed_in_the_middle_and_applied_again_they_converge", async () => {
    for (const moment of [1, Math.ceil(FILES.length / 2)]) {
      const dir = createProject(`killed-${moment}`);
      const { child, ended } = start(dir);
      const running = () => child.exitCode === null && child.signalCode === null;
      while (running() && applied(dir).length < moment) await new Promise(setImmediate);
      if (running()) process.kill(-child.pid, "SIGKILL");
      await ended;
      await apply(dir);
      assertWhole(dir);
    }
  });
});
