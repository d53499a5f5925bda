// @ts-check
// Contrast of colours by WCAG 2.2, and the palettes of the widget's presets.
import { PRESETS, SHARES } from "./theme.js";

/** The names of a palette's colours. */
export const NAMES = ["background", "surface", "text", "dim", "line", "accent", "on_accent"];

/** Pairs of text and background that must be readable, with what they are. */
export const PAIRS = [
  ["text", "background", "text on the panel"],
  ["text", "surface", "text on code and notices"],
  ["dim", "background", "dimmed text on the panel"],
  ["dim", "surface", "dimmed text on code and notices"],
  ["on_accent", "accent", "text on the accent colour"],
];

/** The least ratio for text of normal size. */
export const MIN_CONTRAST = 4.5;

/** @param {string} colour `#rrggbb` */
export function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * The contrast ratio of two colours, 1 to 21.
 * @param {string} one
 * @param {string} other
 */
export function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/**
 * The palette of a preset with other colours. What is not set is mixed from background and text; text on the accent is black
 * or white.
 * @param {string} preset
 * @param {Record<string, string>} colours
 * @returns {Record<string, string>}
 */
export function palette(preset, colours) {
  const [background, text, accent] = PRESETS[preset].split(" ");
  const base = { background, text, accent, ...colours };
  const mixes = Object.entries(SHARES).map(([name, share]) => [name, mix(base.text, base.background, share / 100)]);
  const onAccent = contrast(base.accent, "#000000") > contrast(base.accent, "#ffffff") ? "#000000" : "#ffffff";
  return { ...Object.fromEntries(mixes), on_accent: onAccent, ...base };
}

/**
 * A mixture of two colours.
 * @param {string} one
 * @param {string} other
 * @param {number} share that of the first, 0 to 1
 */
function mix(one, other, share) {
  const part = (colour, at) => Number.parseInt(colour.slice(at, at + 2), 16);
  const parts = [1, 3, 5].map((at) => Math.round(part(one, at) * share + part(other, at) * (1 - share)));
  return `#${parts.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * The pairs of a palette that are hard to read.
 * @param {Record<string, string>} colours
 */
export function hardToRead(colours) {
  return PAIRS.map(([one, other, what]) => ({ what, ratio: contrast(colours[one], colours[other]) })).filter(({ ratio }) => ratio < MIN_CONTRAST);
}
