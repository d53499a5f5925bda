// Builds the widget: the files that widget-server delivers, the npm package, and sizes.json.
//
//   dist/cdn/v1.0.0/{loader.js, app.js, *.js.br, locales/*.json, integrity.json}   dist/npm/   dist/theme.js   dist/sizes.json
//
// `--release` also adds the files of this version to releases/, where they stay for ever.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build, transform } from "esbuild";
import { minify } from "terser";
import { addRelease } from "./releases.mjs";

/** Largest sizes in bytes, as widget-server delivers the files: compressed by brotli. */
export const LIMITS = { loader: 1_500, loader_and_app: 12_288 };

const root = path.dirname(fileURLToPath(import.meta.url));
const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));

/** Style sheets become minified text. */
const cssText = {
  name: "css-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path: file }) => {
      const { code } = await transform(await readFile(file, "utf8"), {
        loader: "css",
        minify: true,
        target: "chrome120",
      });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/**
 * Property names of the app that have no meaning outside, and that no object of the browser has. Where an
 * object from outside has such a name, the code writes it in quotes (`session["token"]`), which keeps it.
 */
const INTERNAL =
  /^(discard|explain|entry|put|drop|isCut|isOpening|draw|wanted|translate|hadFocus|tag|info|parts|firstLine|inner|wasOpen|hadFocus|lifetime|strings|emit|paint|toEnd|notice|queued|answer|removeLastTurn|left|restart|unsent|keep|forget|chat|resume|regenerate|viewport|say|answered|closed|isOpen|element|frame|wait|prefix|history|list|user|language|root|host|shown|write|end|apply|start|receiving|report|kept|loadMessages)$/;

const bundle = async (entry, options) => {
  const result = await build({
    entryPoints: [path.join(root, "src", entry)],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    write: false,
    plugins: [cssText],
    logLevel: "warning",
    ...options,
    mangleProps: INTERNAL,
    // Without `"use strict"`, which modules need no more than their checked types.
    tsconfigRaw: { compilerOptions: { target: "ES2022", verbatimModuleSyntax: true } },
    define: { VERSION: JSON.stringify(version), ...options.define },
  });
  // esbuild bundles; terser's further passes save 4 %.
  const { code } = await minify(result.outputFiles[0].text, {
    module: options.format === "esm",
    compress: {
      passes: 3,
      ecma: 2022,
      unsafe: true,
      unsafe_arrows: true,
      pure_getters: true,
      keep_fargs: false,
      // Statements repeat more often than their shorter forms, so they compress better.
      sequences: false,
      hoist_funs: true,
      hoist_props: false,
    },
    format: { ecma: 2022 },
  });
  return Buffer.from(code);
};

const sha = (bits, content) => `sha${bits}-${createHash(`sha${bits}`).update(content).digest("base64")}`;
const brotlied = (content) =>
  brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_QUALITY]: 11,
      // The best of all values for these files.
      [constants.BROTLI_PARAM_LGWIN]: 16,
      [constants.BROTLI_PARAM_NDIRECT]: 4,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });

/** Builds everything into a folder, and returns the sizes and the paths. */
export async function buildWidget(out = path.join(root, "dist")) {
  await rm(out, { recursive: true, force: true });
  const folder = path.join(out, "cdn", `v${version}`);
  await mkdir(path.join(folder, "locales"), { recursive: true });
  await mkdir(path.join(out, "npm"), { recursive: true });

  const app = await bundle("app.ts", {});
  const loader = await bundle("loader.ts", { define: { APP_INTEGRITY: JSON.stringify(sha(256, app)) } });
  const files = { "loader.js": loader, "app.js": app };
  for (const name of (await readdir(path.join(root, "locales"))).sort()) {
    const strings = JSON.parse(await readFile(path.join(root, "locales", name), "utf8"));
    files[`locales/${name}`] = Buffer.from(JSON.stringify(strings));
  }
  for (const [name, content] of Object.entries(files)) {
    await writeFile(path.join(folder, name), content);
    if (name.endsWith(".js")) await writeFile(path.join(folder, `${name}.br`), brotlied(content));
  }
  const hashes = Object.fromEntries(Object.entries(files).map(([name, content]) => [name, sha(384, content)]));
  await writeFile(path.join(folder, "integrity.json"), `${JSON.stringify({ version, files: hashes }, null, 2)}\n`);
  await writeFile(path.join(out, "npm", "index.js"), await bundle("index.ts", { format: "esm" }));
  // For the configurator.
  await writeFile(path.join(out, "theme.js"), await bundle("theme.ts", { format: "esm" }));

  const [loaderSize, appSize] = [loader, app].map((content) => brotlied(content).length);
  const sizes = { loader: loaderSize, app: appSize, loader_and_app: loaderSize + appSize };
  await writeFile(path.join(out, "sizes.json"), `${JSON.stringify(sizes, null, 2)}\n`);
  return { version, folder, sizes };
}

/** Writes the types of the npm package. */
async function buildTypes(out) {
  const tsc = path.join(root, "../node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rootDir", "src", "--outDir", out];
  execFileSync(process.execPath, [tsc, "--project", root, ...options], { cwd: root, stdio: "inherit" });
  for (const name of await readdir(out, { recursive: true })) {
    if (!name.endsWith(".d.ts")) continue;
    const file = path.join(out, name);
    await writeFile(file, (await readFile(file, "utf8")).replace(/(["'])(\.{1,2}\/[^"']+)\.ts\1/g, "$1$2.js$1"));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { folder, sizes } = await buildWidget();
  await buildTypes(path.join(root, "dist/npm"));
  for (const [name, size] of Object.entries(sizes)) {
    console.log(`${name}: ${size} bytes`);
    if (size <= (LIMITS[name] ?? size)) continue;
    console.error(`${name} has ${size} bytes, the limit is ${LIMITS[name]}`);
    process.exitCode = 1;
  }
  // A released version is never replaced: pages have its hash.
  if (process.argv.includes("--release") && !process.exitCode) await addRelease(folder);
}
