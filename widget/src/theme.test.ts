import assert from "node:assert/strict";
import { test } from "node:test";
import { PRESETS, SHARES, themeRules } from "./theme.ts";
import type { Preset } from "./types.ts";

const channels = (colour: string) => [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));

/** Relative luminance of WCAG 2. */
function luminance(colour: number[]): number {
  const [red = 0, green = 0, blue = 0] = colour.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: number[], other: number[]): number {
  const [high = 0, low = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

for (const [preset, palette] of Object.entries(PRESETS)) {
  test(`texts of the preset ${preset} have a contrast of at least 4.5`, () => {
    const [background = [], text = [], accent = []] = palette.split(" ").map(channels);
    const mix = (share: number) =>
      text.map((value, at) => (value * share + (background[at] ?? 0) * (100 - share)) / 100);
    const [surface, dim] = [mix(SHARES.surface), mix(SHARES.dim)];
    for (const [name, front, back] of [
      ["text", text, background],
      ["text on surface", text, surface],
      ["dim", dim, background],
      ["dim on surface", dim, surface],
    ] as const) {
      assert.ok(contrast(front, back) >= 4.5, `${name}: ${contrast(front, back).toFixed(2)}`);
    }
    const onAccent = [0, 255].map((value) => contrast([value, value, value], accent));
    assert.ok(Math.max(...onAccent) >= 4.5);
    // Focus rings in the accent colour.
    assert.ok(contrast(accent, background) >= 3);
  });
}

test("a theme declares all colours once", () => {
  const rules = themeRules("paper", {});
  for (const name of "background surface text dim line accent on_accent".split(" ")) {
    assert.equal(rules.split(`--${name}:`).length, 2, name);
  }
  assert.match(rules, /color-scheme:light/);
  assert.match(themeRules("midnight", {}), /color-scheme:dark/);
});

test("own colours replace those of the preset", () => {
  const rules = themeRules("light", { background: "#123456" });
  assert.match(rules, /--background:#123456/);
  assert.match(rules, /--text:#18181d/);
});

test("auto follows the system, with the site's accent in both variants", () => {
  const [light = "", dark = ""] = themeRules("auto", { accent: "#008800", background: "#fefefe" }).split("@media");
  assert.match(light, /--background:#fefefe.*--accent:#008800/);
  assert.match(dark, /prefers-color-scheme:dark.*--background:#17171c.*--accent:#008800/);
});

test("an unknown preset is the light one", () => {
  assert.equal(themeRules("nonsense" as Preset, {}), themeRules("light", {}));
});
