// API keys as text: a prefix, 27 base62 characters, and six of CRC32 over what stands before.
import { randomInt } from "node:crypto";
import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A key with a right checksum that nobody was given. */
export function unknownKey(prefix = "cl_sk_") {
  const body = prefix + Array.from({ length: 27 }, () => DIGITS[randomInt(62)]).join("");
  return body + checksum(body);
}

/** The same key with a wrong checksum. */
export function withBadChecksum(key) {
  const last = DIGITS[(DIGITS.indexOf(key.at(-1)) + 1) % 62];
  return key.slice(0, -1) + last;
}

/** A key with a right checksum that differs from a real one only in its last random character. */
export function nearMiss(key) {
  const body = key.slice(0, -6);
  const other = body.slice(0, -1) + DIGITS[(DIGITS.indexOf(body.at(-1)) + 1) % 62];
  return other + checksum(other);
}

function checksum(body) {
  let digits = "";
  for (let rest = crc32(body), count = 0; count < 6; count += 1, rest = Math.floor(rest / 62)) digits = DIGITS[rest % 62] + digits;
  return digits;
}
