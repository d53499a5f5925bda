// Signatures by the runtime's cryptography: a pure implementation of three algorithms would be the largest
// part of the bundle.

const ALGORITHMS = {
  ES256: [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }],
  RS256: [{ name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, { name: "RSASSA-PKCS1-v1_5" }],
  EdDSA: [{ name: "Ed25519" }, { name: "Ed25519" }],
};

/** Imports a public key (SubjectPublicKeyInfo). */
function imported(algorithm, key) {
  return crypto.subtle.importKey("spki", key, ALGORITHMS[algorithm][0], false, ["verify"]);
}

/** How an Ed25519 key begins (RFC 8410): the runtime would import the last bytes of any other key. */
const ED25519 = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/** Whether a public key can verify signatures of an algorithm. RSA keys below 2,048 bits can be broken. */
export async function isKey(algorithm, key) {
  if (algorithm === "EdDSA" && !(key.length === 44 && ED25519.every((byte, at) => key[at] === byte))) return false;
  try {
    const { modulusLength } = (await imported(algorithm, key)).algorithm;
    return modulusLength === undefined || modulusLength >= 2048;
  } catch {
    return false;
  }
}

/** Whether a signature is valid. */
export async function verifies(algorithm, key, signature, message) {
  try {
    const bytes = new TextEncoder().encode(message);
    return await crypto.subtle.verify(ALGORITHMS[algorithm][1], await imported(algorithm, key), signature, bytes);
  } catch {
    return false;
  }
}
