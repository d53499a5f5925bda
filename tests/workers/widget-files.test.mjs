// The files of the widget, its pages and its logos, as browsers get them.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { brotliDecompressSync } from "node:zlib";
import { ROOT } from "../harness/bundle.mjs";
import { expectError } from "../harness/client.mjs";
import { PNG, createSite } from "../harness/widget.mjs";
import { startStack } from "../harness/stack.mjs";

let stack;
before(async () => (stack = await startStack()));
after(() => stack.stop());

const get = (target, options) => fetch(stack.url + target, options);

describe("logos", () => {
  let site;
  let logo;
  before(async () => {
    site = await createSite(stack);
    logo = (await stack.admin("PUT", `${site.path}/widget/logo`, { image: PNG })).body.logo;
  });

  test("a_logo_is_an_image_and_can_be_nothing_else", async () => {
    const response = await get(logo);
    assert.equal(response.status, 200);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(PNG, "base64"));
    const header = (name) => response.headers.get(name);
    assert.deepEqual([header("content-type"), header("x-content-type-options"), header("content-security-policy")], ["image/png", "nosniff", "default-src 'none'; sandbox"]);
    assert.match(header("cache-control"), /^public/);
  });

  test("other_names_are_404", async () => {
    for (const name of ["0".repeat(64), "x", "%2e%2e", logo.split("/").at(-1).toUpperCase()]) await expectError(await get(`/widget/logos/${name}`), 404);
  });

  test("a_removed_logo_is_404", async () => {
    assert.equal((await stack.admin("DELETE", `${site.path}/widget/logo`)).body.logo, null);
    await expectError(await get(logo), 404);
  });

  test("vector_images_and_pages_are_refused", async () => {
    for (const text of ["<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "<!doctype html><script>alert(1)</script>", "GIF89a"]) {
      const { status, body } = await stack.admin("PUT", `${site.path}/widget/logo`, { image: Buffer.from(text).toString("base64") });
      assert.deepEqual([status, body.error.param], [400, "image"], text);
    }
  });
});

describe("attack 54: the pages", () => {
  for (const page of ["demo", "configure"]) {
    test(`${page}_has_a_strict_policy_and_is_never_framed`, async () => {
      const response = await get(`/widget/${page}`);
      const html = await response.text();
      assert.equal(response.status, 200, html);
      assert.match(response.headers.get("content-type"), /^text\/html/);
      const policy = response.headers.get("content-security-policy");
      for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"]) assert.ok(policy.includes(rule), rule);
      assert.ok(!policy.includes("unsafe") && !policy.includes("*"), policy);
      assert.doesNotMatch(html, /<script(?![^>]*\bsrc=)|<style| style=| on\w+=|https?:\/\//, "nothing inline, nothing from elsewhere");
      for (const [, file] of html.matchAll(/(?:src|href)="(\/widget\/pages\/[^"]+)"/g)) {
        const found = await get(file);
        assert.equal(found.status, 200, file);
        assert.equal(found.headers.get("x-content-type-options"), "nosniff");
        const type = file.endsWith(".js") ? /^text\/javascript/ : /^text\/css/;
        assert.match(found.headers.get("content-type"), type);
      }
    });
  }

  test("an_unknown_file_is_404", async () => {
    for (const file of ["demo.html", "x.js", "contrast.js%00"]) await expectError(await get(`/widget/pages/${file}`), 404);
  });
});

describe("the files of a version", () => {
  const build = path.join(ROOT, "widget/package.json");
  let version;
  before(() => (version = JSON.parse(readFileSync(build, "utf8")).version));

  test("each_file_has_its_hash_and_is_immutable_if_it_is_released", async () => {
    const isReleased = existsSync(path.join(ROOT, `widget/releases/v${version}`));
    const { version: named, files } = await (await get(`/widget/v${version}/integrity.json`)).json();
    assert.equal(named, version);
    assert.ok(files["loader.js"] && files["app.js"]);
    for (const [file, hash] of Object.entries(files)) {
      const response = await get(`/widget/v${version}/${file}`);
      const content = Buffer.from(await response.arrayBuffer());
      assert.equal(response.status, 200, file);
      assert.equal(`sha384-${createHash("sha384").update(content).digest("base64")}`, hash, file);
      const header = (name) => response.headers.get(name);
      assert.match(header("cache-control"), isReleased ? /^public, max-age=31536000, immutable$/ : /^public, max-age=300\b/);
      assert.deepEqual([header("access-control-allow-origin"), header("x-content-type-options")], ["*", "nosniff"]);
    }
  });

  test("files_are_delivered_in_their_smallest_form_to_clients_that_accept_it", async () => {
    const sizes = JSON.parse(readFileSync(path.join(ROOT, "build/widget/sizes.json"), "utf8"));
    for (const name of ["loader", "app"]) {
      const target = `/widget/v${version}/${name}.js`;
      const { hostname, port } = new URL(stack.url);
      const receive = (encoding) =>
        new Promise((resolve, reject) => {
          request({ hostname, port, path: target, headers: { "accept-encoding": encoding } }, async (response) => {
            const bytes = [];
            for await (const piece of response) bytes.push(piece);
            resolve({ headers: response.headers, bytes: Buffer.concat(bytes) });
          })
            .on("error", reject)
            .end();
        });
      const [small, plain] = await Promise.all([receive("gzip, br"), receive("identity")]);
      assert.equal(small.headers["content-encoding"], "br");
      assert.match(small.headers.vary, /accept-encoding/i);
      assert.equal(small.bytes.length, sizes[name]);
      assert.deepEqual(brotliDecompressSync(small.bytes), plain.bytes);
    }
  });

  test("files_and_pages_ignore_parameters_that_pages_add", async () => {
    for (const target of ["/widget/v1/loader.js?_=1", `/widget/v${version}/app.js?sha256-a=`, "/demo?utm_source=x&utm_source=y"]) assert.equal((await get(target)).status, 200, target);
  });

  test("the_major_version_is_the_newest_and_cached_for_minutes", async () => {
    const [major, exact] = await Promise.all([get(`/widget/v1/loader.js?ver=6.4`), get(`/widget/v${version}/loader.js`)]);
    assert.equal(await major.text(), await exact.text());
    assert.match(major.headers.get("cache-control"), /^public, max-age=300\b/);
  });

  test("unknown_versions_and_files_are_404", async () => {
    for (const target of ["v9/loader.js", "v1.99.0/loader.js", "v01.0.0/loader.js", `v${version}/x.js`, `v${version}/package.json`, `v${version}/..%2f..%2floader.js`]) {
      await expectError(await get(`/widget/${target}`), 404);
    }
  });
});

test("the_configurator_has_the_palettes_of_the_widget", async () => {
  // As the page gets them.
  const folder = await mkdtemp(path.join(tmpdir(), "clawless-pages-"));
  for (const name of ["contrast.js", "theme.js"]) await writeFile(path.join(folder, name), await (await get(`/widget/pages/${name}`)).text());
  const { PRESETS, SHARES } = await import(path.join(folder, "theme.js"));
  const { contrast, hardToRead, palette } = await import(path.join(folder, "contrast.js"));
  await rm(folder, { recursive: true });
  const theme = await import("../../widget/src/theme.ts");
  assert.deepEqual([PRESETS, SHARES], [theme.PRESETS, theme.SHARES]);
  for (const preset of Object.keys(PRESETS)) assert.deepEqual(hardToRead(palette(preset, {})), [], preset);
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.equal(palette("light", { accent: "#ffff00" }).on_accent, "#000000");
  assert.equal(palette("light", { text: "#000000", background: "#ffffff" }).surface, "#f2f2f2");
  assert.deepEqual(hardToRead(palette("light", { text: "#cccccc" })).map(({ what }) => what), ["text on the panel", "text on code and notices", "dimmed text on the panel", "dimmed text on code and notices"]);
});
