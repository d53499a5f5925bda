import assert from "node:assert/strict";
import { test } from "node:test";
import { safeUrl } from "./url.ts";

test("http, https, mailto and tel addresses are safe", () => {
  assert.equal(safeUrl("https://example.com/a?b#c"), "https://example.com/a?b#c");
  assert.equal(safeUrl("http://example.com"), "http://example.com/");
  assert.equal(safeUrl("mailto:a@example.com"), "mailto:a@example.com");
  assert.equal(safeUrl("tel:+49123"), "tel:+49123");
});

test("a relative address is no link of the site", () => {
  for (const address of ["returns", "/logout", "//example.com/x", "#top", "?a=b"]) {
    assert.equal(safeUrl(address), undefined, address);
  }
});

test("other schemes are refused in every spelling", () => {
  const refused = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://shop.example/1",
    "ftp://example.com",
    "intent://x",
  ];
  for (const address of refused) assert.equal(safeUrl(address), undefined, JSON.stringify(address));
});

test("an address with credentials is refused, because it disguises its host", () => {
  assert.equal(safeUrl("https://bank.example@evil.example/"), undefined);
  assert.equal(safeUrl("https://:secret@evil.example/"), undefined);
});

test("what is no address is refused", () => {
  assert.equal(safeUrl("https://"), undefined);
  assert.equal(safeUrl("http://[::1"), undefined);
});
