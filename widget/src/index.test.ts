import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "clawless-npm-"));
});
after(() => rm(folder, { recursive: true }));

test("the npm package can be imported where there are no elements", async () => {
  const { buildWidget } = await import(new URL("../build.mjs", import.meta.url).href);
  await buildWidget(folder);
  const { ClawlessChat } = await import(path.join(folder, "npm/index.js"));
  assert.equal(typeof ClawlessChat, "function");
});
