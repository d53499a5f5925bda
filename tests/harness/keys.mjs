// API keys for tests: a prefix, 27 random base62 characters and a CRC32 checksum of six.
import { randomInt } from "node:crypto";
import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A key with a valid checksum that was never issued. */
export function unknownKey(prefix = "cl_sk_") {
  const body = prefix + Array.from({ length: 27 }, () => DIGITS[randomInt(62)]).join("");
  return body + checksum(body);
}

/** The same key with an invalid checksum. */
export function withBadChecksum(key) {
  const last = DIGITS[(DIGITS.indexOf(key.at(-1)) + 1) % 62];
  return key.slice(0, -1) + last;
}

/** A key with a valid checksum that differs from a real one only in the last random character. */
export function nearMiss(key) {
  const body = key.slice(0, -6);
  const other = body.slice(0, -1) + DIGITS[(DIGITS.indexOf(body.at(-1)) + 1) % 62];
  return other + checksum(other);
}

function checksum(body) {
  let digits = "";
  for (let remainder = crc32(body), count = 0; count < 6; count += 1, remainder = Math.floor(remainder / 62)) digits = DIGITS[remainder % 62] + digits;
  return digits;
}
