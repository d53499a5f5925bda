import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { chooseLanguage, english, LANGUAGES } from "./strings.ts";

const folder = new URL("../locales/", import.meta.url);
const files = await readdir(folder);

test("there are at least ten languages, and each but English has a file", () => {
  const names = ["en", ...files.map((file) => file.replace(".json", ""))].sort();
  assert.deepEqual(names, LANGUAGES.split(" ").sort());
  assert.ok(names.length >= 10);
});

for (const file of files) {
  test(`${file} has every text, translated`, async () => {
    const strings = JSON.parse(await readFile(new URL(file, folder), "utf8"));
    assert.deepEqual(Object.keys(strings), Object.keys(english));
    const same = Object.entries(english).filter(([name, text]) => strings[name] === text);
    assert.ok(same.length <= 2, `the same as in English: ${same}`);
    for (const text of Object.values(strings)) assert.ok(typeof text === "string" && text.trim() !== "");
  });
}

test("the first wanted language that exists is chosen, else English", () => {
  assert.equal(chooseLanguage(["de-AT", "fr"]), "de");
  assert.equal(chooseLanguage(["", "xx", "pt-BR"]), "pt");
  assert.equal(chooseLanguage(["xx"]), "en");
  assert.equal(chooseLanguage([]), "en");
});
