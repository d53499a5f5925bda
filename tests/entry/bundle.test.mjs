import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const FILES = readdirSync(path.join(ROOT, "workers/entry"));
const source = (file) => readFileSync(path.join(ROOT, "workers/entry", file), "utf8");

test("only_the_entries_name_the_runtime_and_the_built_script", () => {
  for (const file of FILES.filter((file) => !["index.js", "gateway.js"].includes(file))) {
    assert.doesNotMatch(source(file), /from "(cloudflare:workers|\.\/worker\.js)"/, file);
  }
});

test("every_replacement_names_a_decision_that_exists", () => {
  for (const file of ["durable-objects.js", "instance.js", "microtasks.js", "panic-guard.js", "error-response.js"]) {
    const [, page] = /^\/\/ (docs\/decisions\/\S+\.md)$/m.exec(source(file)) ?? assert.fail(`${file} names no decision`);
    assert.ok(readFileSync(path.join(ROOT, page), "utf8").startsWith("# 0"), page);
  }
});
