// Fault 25: a migration that is applied twice, or interrupted, converges.
//
// The real command applies them, to a real local D1 on disk.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { migrations, ROOT } from "../harness/bundle.mjs";

const WRANGLER = path.join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const FILES = migrations().map(({ name }) => name);

let scratch;
let reference;
before(async () => {
  scratch = mkdtempSync(path.join(tmpdir(), "clawless-migrations-"));
  const place = newPlace("reference");
  await apply(place);
  reference = schema(place);
  assert.ok(reference.length > FILES.length, "the migrations make tables");
});
after(() => rmSync(scratch, { recursive: true, force: true }));

/** A database of its own with a configuration that names `files` as its migrations. */
function newPlace(name, files = FILES) {
  const place = { dir: path.join(scratch, name) };
  mkdirSync(place.dir, { recursive: true });
  offer(place, files);
  const binding = { binding: "DB", database_name: "clawless", database_id: "00000000-0000-0000-0000-000000000000", migrations_dir: "migrations" };
  writeFileSync(
    path.join(place.dir, "wrangler.json"),
    JSON.stringify({ name: "clawless-gateway", compatibility_date: "2026-01-01", d1_databases: [binding] }),
  );
  return place;
}

function offer(place, files) {
  const target = path.join(place.dir, "migrations");
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  for (const file of files) cpSync(path.join(ROOT, "migrations", file), path.join(target, file));
}

function start(place) {
  return spawn(
    process.execPath,
    [WRANGLER, "d1", "migrations", "apply", "clawless", "--local", "--persist-to", path.join(place.dir, "state")],
    {
      cwd: place.dir,
      detached: true, // a group of its own, so that its workerd can be killed with it
      env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: path.join(place.dir, "logs") },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
}

async function apply(place) {
  const child = start(place);
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => output.push(part));
  const [code] = await once(child, "close");
  assert.equal(code, 0, Buffer.concat(output).toString());
  return Buffer.concat(output).toString();
}

function open(place) {
  const folder = path.join(place.dir, "state", "v3", "d1", "miniflare-D1DatabaseObject");
  const file = readdirSync(folder).find((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  return new DatabaseSync(path.join(folder, file), { readOnly: true });
}

/** Everything that the migrations define, and which of them are booked as done. */
function schema(place) {
  const database = open(place);
  try {
    const objects = database
      .prepare("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' ORDER BY type, name")
      .all();
    const booked = database.prepare("SELECT name FROM d1_migrations ORDER BY id").all();
    return [...objects, ...booked].map((row) => ({ ...row }));
  } finally {
    database.close();
  }
}

test("applying_them_twice_changes_nothing", async () => {
  const place = newPlace("twice");
  await apply(place);
  assert.match(await apply(place), /No migrations to apply/);
  assert.deepEqual(schema(place), reference);
});

test("applying_them_one_release_at_a_time_gives_the_same_as_all_at_once", async () => {
  const place = newPlace("stepwise", FILES.slice(0, 1));
  await apply(place);
  offer(place, FILES.slice(0, Math.ceil(FILES.length / 2)));
  await apply(place);
  offer(place, FILES);
  await apply(place);
  assert.deepEqual(schema(place), reference);
});

test("killed_at_any_moment_and_applied_again_they_converge", async () => {
  for (const [round, delayMs] of [200, 600, 900, 1_100, 1_300, 1_600].entries()) {
    const place = newPlace(`killed-${round}`);
    const child = start(place);
    child.stdout.resume();
    child.stderr.resume();
    const closed = once(child, "close");
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, delayMs))]);
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      assert.equal(error.code, "ESRCH", "it had come to its end before"); // nothing left to kill
    }
    await closed;
    await apply(place);
    assert.deepEqual(schema(place), reference, `killed after ${delayMs} ms`);
  }
});

test("a_file_that_fails_in_the_middle_leaves_nothing_of_itself_and_works_once_mended", async () => {
  const last = FILES.at(-1);
  const place = newPlace("broken");
  const file = path.join(place.dir, "migrations", last);
  const text = readFileSync(file, "utf8");
  writeFileSync(file, `${text}\nINSERT INTO a_table_that_is_not_there VALUES (1);\n`);
  await assert.rejects(apply(place));
  const names = schema(place).map(({ name }) => name);
  assert.ok(!names.includes(last), "a failed file is not booked as done");
  offer(place, FILES);
  await apply(place);
  assert.deepEqual(schema(place), reference);
});
