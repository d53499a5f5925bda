// Themes: the presets, and the style rules that a theme becomes.

import type { Colours, Preset } from "./types.ts";

/** The palettes of the presets: background, text and accent. */
export const PRESETS = {
  light: "#ffffff #18181d #5746e0",
  dark: "#17171c #f3f3f6 #9184ff",
  paper: "#fcf9f3 #2c2721 #9a3b1f",
  midnight: "#0c1122 #e9edf9 #74acff",
};

/** Shares of the text's colour in the colours between text and background, in percent. */
export const SHARES = { surface: 5, line: 12, dim: 72 };

const mix = (share: number) => `color-mix(in srgb,var(--text) ${share}%,var(--background))`;

/** The style rules of a theme. In `auto` the dark variant has the site's accent, but not its other colours. */
export function themeRules(preset: Preset, colours: Colours): string {
  if (preset === "auto") {
    const { accent } = colours;
    const dark = themeRules("dark", accent ? { accent } : {});
    return `${themeRules("light", colours)}@media(prefers-color-scheme:dark){${dark}}`;
  }
  const [background, text, accent] = PRESETS[Object.hasOwn(PRESETS, preset) ? preset : "light"].split(" ");
  const chosen = {
    background,
    text,
    accent,
    surface: mix(SHARES.surface),
    line: mix(SHARES.line),
    dim: mix(SHARES.dim),
    // Black or white, whichever has the higher contrast: 18 % luminance is a lightness of 49.5 %.
    on_accent: "lab(from var(--accent) calc((49.5 - l)*999) 0 0)",
    ...colours,
  };
  const scheme = /dark|mid/.test(preset) ? "dark" : "light";
  // Not on the host, whose rules the page can replace.
  return `.launcher,.panel{color-scheme:${scheme};${Object.entries(chosen)
    .map(([name, value]) => `--${name}:${value}`)
    .join(";")}}`;
}
