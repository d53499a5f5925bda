// The released files: releases/v1.2.3/, which every later release delivers too, and their record releases/hashes.json.
// `node releases.mjs` fails if a released file has changed.
import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const RELEASES = path.join(path.dirname(fileURLToPath(import.meta.url)), "releases");
const RECORD = "hashes.json";

const json = async (file) => JSON.parse(await readFile(file, "utf8").catch(() => "{}"));

/** The hash of each file of a folder. */
async function hashesOf(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const hashes = {};
  for (const file of files.sort()) {
    const hash = createHash("sha384").update(await readFile(file));
    hashes[path.relative(folder, file)] = hash.digest("base64");
  }
  return hashes;
}

/** Adds a built version. A page that pins a version has its hash, so a version is added once. */
export async function addRelease(built, releases = RELEASES) {
  const version = path.basename(built);
  const record = await json(path.join(releases, RECORD));
  if (record[version]) throw new Error(`${version} is released: raise the version in package.json`);
  await mkdir(releases, { recursive: true });
  await cp(built, path.join(releases, version), { recursive: true, force: false, errorOnExist: true });
  record[version] = await hashesOf(built);
  await writeFile(path.join(releases, RECORD), `${JSON.stringify(record, null, 2)}\n`);
}

/** What differs from the record: files that have changed, are missing, or were added. */
export async function changedFiles(releases = RELEASES) {
  const record = await json(path.join(releases, RECORD));
  const folders = await readdir(releases, { withFileTypes: true }).catch(() => []);
  const versions = new Set(Object.keys(record));
  for (const entry of folders) if (entry.isDirectory()) versions.add(entry.name);
  const changed = [];
  for (const version of versions) {
    const found = await hashesOf(path.join(releases, version)).catch(() => ({}));
    const recorded = record[version] ?? {};
    for (const file of new Set([...Object.keys(recorded), ...Object.keys(found)])) {
      if (found[file] !== recorded[file]) changed.push(`${version}/${file}`);
    }
  }
  return changed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const file of await changedFiles()) {
    console.error(`releases/${file} is not what was released`);
    process.exitCode = 1;
  }
}
