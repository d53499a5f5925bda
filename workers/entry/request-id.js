const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The id of a request that our Rust gave none: `req_` and a ULID. */
export function newRequestId(now = Date.now()) {
  const time = Array.from({ length: 10 }, (_, place) => DIGITS[Math.floor(now / 32 ** (9 - place)) % 32]);
  const random = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => DIGITS[byte % 32]);
  return `req_${time.join("")}${random.join("")}`;
}
