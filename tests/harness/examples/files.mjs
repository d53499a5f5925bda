// The examples of docs/api/examples: what they are, how they run, and where the guide shows them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { ROOT } from "../bundle.mjs";
import { ADMIN, GATEWAY } from "../description.mjs";

const GUIDE = path.join(ROOT, "docs/api");
const EXAMPLES = path.join(GUIDE, "examples");
const TIMEOUT_MS = 60_000;

/** The languages by extension: the name in a fenced block of Markdown, and the start of a comment. */
export const LANGUAGES = {
  sh: { title: "curl", fence: "sh", comment: "#" },
  py: { title: "Python", fence: "python", comment: "#" },
  mjs: { title: "Node", fence: "js", comment: "//" },
};

/** Scripts of this machine that may not be in a test's environment: only PATH and HOME are kept. */
const INHERITED = ["PATH", "HOME"];

/**
 * Every example, by name: `<operation>[.<variant>].<extension>`. The first line is a comment with the
 * route; `code` is the rest.
 */
export function examples() {
  return readdirSync(EXAMPLES)
    .filter((file) => path.extname(file) !== ".md")
    .sort()
    .map((file) => {
      const [, operation, variant = "", extension] = file.match(/^([a-zA-Z]+)(?:\.([a-zA-Z]+))?\.(sh|py|mjs)$/) ?? assert.fail(`${file} is not named like an example`);
      const text = readFileSync(path.join(EXAMPLES, file), "utf8");
      const [first] = text.split("\n", 1);
      const { comment } = LANGUAGES[extension];
      assert.match(first, /^\S+ [A-Z]+ \//, `${file} starts with its route`);
      return { file, operation, variant, extension, case: variant ? `${operation}.${variant}` : operation, route: first.slice(comment.length + 1), code: text.slice(first.length + 1) };
    });
}

/** The routes of gateway and admin that clients can call, from the API's description: `GET /v1/models`. */
export function routes() {
  const all = [...GATEWAY.operations, ...ADMIN.operations];
  // The description and its page are no part of the API that they show.
  const own = all.filter(({ pattern }) => !/\/(docs|openapi\.json)$/.test(pattern));
  return own.map(({ method, pattern }) => `${method} ${pattern}`).sort();
}

/** Runs an example with these environment variables; returns what it prints. Fails if it fails. */
export function runExample({ file, extension }, variables) {
  const python = process.env.CLAWLESS_PYTHON;
  assert.ok(extension !== "py" || python, "Set CLAWLESS_PYTHON to a Python with the packages of tests/sdk/python/requirements.txt.");
  const [program, ...options] = { sh: ["sh", "-eu"], py: [python], mjs: [process.execPath] }[extension];
  const env = { ...Object.fromEntries(INHERITED.map((name) => [name, process.env[name]])), PYTHONDONTWRITEBYTECODE: "1", ...variables };
  const cwd = mkdtempSync(path.join(os.tmpdir(), "clawless-example-"));
  return new Promise((resolve, reject) => {
    execFile(program, [...options, path.join(EXAMPLES, file)], { cwd, env, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      const left = readdirSync(cwd);
      rmSync(cwd, { recursive: true });
      if (error) return reject(new Error(`${file} failed: ${error.message}\n${stdout}\n${stderr}`));
      if (stderr !== "" || left.length > 0) return reject(new Error(`${file} wrote ${left} and ${stderr}`));
      resolve(stdout);
    });
  });
}

/** The pages of the guide: `{ file, path, text }`. */
export function pages() {
  return readdirSync(GUIDE)
    .filter((file) => file.endsWith(".md"))
    .map((file) => ({ file, path: path.join(GUIDE, file), text: readFileSync(path.join(GUIDE, file), "utf8") }));
}

const SHOWN = /<!-- example: (\S+) -->\n```\w*\n[\s\S]*?^```$/gm;

/** A page with the code of each example that it shows, as it is in the example's file. */
export function withExamples({ file: page, text }) {
  const all = new Map(examples().map((example) => [example.file, example]));
  return text.replace(SHOWN, (_, file) => {
    const { code, extension } = all.get(file) ?? assert.fail(`${page} shows ${file}, which does not exist`);
    return `<!-- example: ${file} -->\n\`\`\`${LANGUAGES[extension].fence}\n${code}\`\`\``;
  });
}

/** The path of the list of all examples. */
export const INDEX = path.join(EXAMPLES, "README.md");

/** The table of all examples, by route. */
export function indexTable() {
  const rows = new Map();
  for (const example of examples()) {
    const row = rows.get(example.case) ?? { ...example, files: {} };
    row.files[example.extension] = example.file;
    rows.set(example.case, row);
  }
  const order = ({ route, variant }) => `${route.startsWith("GET /admin") || route.includes(" /admin") ? 1 : 0} ${route.split(" ")[1]} ${route} ${variant}`;
  const sorted = [...rows.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const link = (files, extension) => (files[extension] ? `[${LANGUAGES[extension].title}](${files[extension]})` : "–");
  const lines = sorted.map(({ route, case: name, files }) => `| \`${route}\` | \`${name}\` | ${Object.keys(LANGUAGES).map((extension) => link(files, extension)).join(", ")} |`);
  return ["| route | operation | example |", "|---|---|---|", ...lines].join("\n");
}
