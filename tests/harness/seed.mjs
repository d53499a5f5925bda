// Demo tenants, created by the same program that seeds a developer's database.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { unstable_splitSqlQuery } from "wrangler";
import { ROOT } from "./bundle.mjs";

const run = promisify(execFile);

/** A new tenant with a key, and the SQL statements that store both. */
export async function seedTenant(index) {
  const [program, ...rest] = seedCommand();
  const { stdout } = await run(program, [...rest, "--name", `tenant-${index}`], { cwd: ROOT });
  const seeded = JSON.parse(stdout);
  return { ...seeded, statements: unstable_splitSqlQuery(seeded.sql) };
}

/** `CLAWLESS_SEED` is the path of the built program; without it, cargo builds and runs it. */
function seedCommand() {
  const built = process.env.CLAWLESS_SEED;
  return built ? [built] : ["cargo", "run", "--quiet", "--package", "clawless-seed", "--"];
}
