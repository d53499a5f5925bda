import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { addRelease, changedFiles } from "./releases.mjs";

test("a released file that is changed, removed or added is found, and a version is released once", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "clawless-releases-"));
  const [built, releases] = [path.join(folder, "v1.2.3"), path.join(folder, "releases")];
  await mkdir(path.join(built, "locales"), { recursive: true });
  await writeFile(path.join(built, "app.js"), "app");
  await writeFile(path.join(built, "locales/de.json"), "{}");
  assert.deepEqual(await changedFiles(releases), []);
  await addRelease(built, releases);
  assert.deepEqual(await changedFiles(releases), []);
  await assert.rejects(addRelease(built, releases), /v1\.2\.3 is released/);
  await appendFile(path.join(releases, "v1.2.3/app.js"), ";");
  await rm(path.join(releases, "v1.2.3/locales/de.json"));
  await mkdir(path.join(releases, "v1.2.4"));
  await writeFile(path.join(releases, "v1.2.4/app.js"), "");
  assert.deepEqual((await changedFiles(releases)).sort(), ["v1.2.3/app.js", "v1.2.3/locales/de.json", "v1.2.4/app.js"]);
  await rm(folder, { recursive: true });
});
