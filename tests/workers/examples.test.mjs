// The examples of docs/api/examples: every route has one in each language, each runs and prints what the
// API answered, and the guide shows them as they are.
//
// `CLAWLESS_WRITE_DOCS=1` updates the guide and the list of examples instead of comparing them.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { caseOf, CASES } from "../harness/examples/cases.mjs";
import { startWorld } from "../harness/examples/world.mjs";
import { examples, INDEX, indexTable, LANGUAGES, pages, routes, runExample, withExamples } from "../harness/examples/files.mjs";
import { startRecordingProxy } from "../harness/recording-proxy.mjs";

const ALL = examples();

describe("the files", () => {
  test("every_route_has_an_example_in_each_language_and_no_example_has_another_route", () => {
    const whole = ALL.filter(({ variant }) => variant === "");
    for (const extension of Object.keys(LANGUAGES)) {
      const covered = whole.filter((example) => example.extension === extension).map(({ route }) => route);
      assert.deepEqual(covered.sort(), routes(), `the routes with an example in ${LANGUAGES[extension].title}`);
    }
  });

  test("an_operation_is_one_route", () => {
    const operations = Map.groupBy(ALL, ({ operation }) => operation);
    for (const [operation, files] of operations) assert.equal(new Set(files.map(({ route }) => route)).size, 1, operation);
  });

  test("every_case_has_an_example", () => {
    const names = new Set(ALL.map((example) => example.case));
    assert.deepEqual(Object.keys(CASES).filter((name) => !names.has(name)), []);
  });
});

describe("the guide", () => {
  const check = (path, expected) => {
    if (process.env.CLAWLESS_WRITE_DOCS) writeFileSync(path, expected);
    assert.equal(readFileSync(path, "utf8"), expected, `${path}: run this test with CLAWLESS_WRITE_DOCS=1`);
  };

  for (const page of pages()) {
    test(`${page.file}_shows_examples_as_they_are`, () => check(page.path, withExamples(page)));
  }

  test("shows_every_variant_or_links_to_it", () => {
    const text = pages().map((page) => page.text).join("");
    const variants = ALL.filter(({ variant }) => variant !== "").map(({ file }) => file);
    assert.deepEqual(variants.filter((file) => !text.includes(`examples/${file}`) && !text.includes(`example: ${file} `)), []);
  });

  test("the_list_of_examples_is_complete", () => {
    const text = readFileSync(INDEX, "utf8");
    check(INDEX, text.replace(/\| route \|[\s\S]*\|\n/, `${indexTable()}\n`));
  });
});

describe("the programs", { concurrency: 2 }, () => {
  let world;
  let proxy;
  before(async () => {
    world = await startWorld();
    proxy = await startRecordingProxy(world.stack.url);
  });
  after(async () => {
    await proxy?.close();
    await world?.stop();
  });

  for (const example of ALL) {
    test(`${example.file}_prints_what_the_api_answers`, async () => {
      const { prepare, shows, curl, prints, status } = caseOf(example);
      const variables = await prepare(world);
      const { url, calls } = proxy.client();
      const named = Object.entries(variables).filter(([name]) => name === name.toUpperCase());
      const output = await runExample(example, { ...world.variables(url), ...Object.fromEntries(named) });
      assertRoute(example, calls, status);
      const isJson = calls.every(({ headers }) => headers["content-type"].startsWith("application/json"));
      const bodies = isJson ? calls.map(({ text }) => JSON.parse(text)) : [];
      const context = { calls, bodies, variables, world, extension: example.extension };
      if (prints && (example.extension !== "sh" || !isJson)) return prints(output, context);
      const values = await shows?.(bodies.at(-1), context);
      if (example.extension !== "sh") assertPrinted(output, values);
      else if (curl) assertPrinted(output, curl(bodies.at(-1), context));
      else assert.equal(output, calls.map(({ text }) => text).join(""));
    });
  }
});

/** Asserts that an example has called its route only, with these statuses. */
function assertRoute({ file, route }, calls, status) {
  const [method, pattern] = route.split(" ");
  const path = new RegExp(`^${pattern.replace(/\{[^}]*…\}/g, ".+").replace(/\{[^}]*\}/g, "[^/?]+")}(\\?.*)?$`);
  assert.ok(calls.length > 0, `${file} calls ${route}`);
  for (const call of calls) {
    assert.equal(call.method, method);
    assert.match(call.path, path);
    assert.ok(status ? call.status === status : call.status < 300, `${file}: ${call.status} ${call.text}`);
  }
}

/** How Python and JavaScript print what is no text. */
const PRINTED = new Map([[null, /None|null|undefined/], [true, /True|true/], [false, /False|false/]]);

/** Asserts that the values are in the output, in their order. */
function assertPrinted(output, values) {
  assert.ok(values.length > 0, "something is printed");
  let rest = output;
  for (const value of values) {
    const [found] = PRINTED.has(value) ? (rest.match(PRINTED.get(value)) ?? [undefined]) : [String(value)];
    assert.ok(found !== undefined && rest.includes(found), `${JSON.stringify(value)} is in the output, after the earlier values: ${output}`);
    rest = rest.slice(rest.indexOf(found) + found.length);
  }
}
