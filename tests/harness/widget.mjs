// The chat widget's requests, as a browser sends them.
import assert from "node:assert/strict";
import { createHmac, createSign, generateKeyPairSync, sign } from "node:crypto";

/** The origin of the test's pages. */
export const SITE = "https://shop.example";

/** A logo of one pixel, in base64. */
export const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

let addresses = 0;
/** A new client address, because sessions count per address. */
export const newAddress = () => ({ "cf-connecting-ip": `203.0.113.${(addresses += 1)}` });

/** Creates a tenant with a public key: `{ tenant, key, keyId, path }`; `path` is the key's in the admin API. */
export async function createSite(stack, { origins = [SITE], settings, limits, tenant: tenantBody = {} } = {}) {
  const { body: tenant } = await stack.admin("POST", "/tenants", { name: "site", tier: "enterprise", ...tenantBody });
  const created = await stack.admin("POST", `/tenants/${tenant.id}/keys`, { name: "page", kind: "public", allowed_origins: origins, ...(limits ? { limits } : {}) });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const path = `/tenants/${tenant.id}/keys/${created.body.id}`;
  if (settings) {
    const changed = await stack.admin("PATCH", `${path}/widget`, settings);
    assert.equal(changed.status, 200, JSON.stringify(changed.body));
  }
  return { tenant: tenant.id, key: created.body.key, keyId: created.body.id, path };
}

/** `POST /v1/widget/session`; `origin: null` sends no header. */
export function postSession(stack, key, body = {}, { origin = SITE, url = stack.url, headers = newAddress() } = {}) {
  return fetch(`${url}/v1/widget/session`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...(origin === null ? {} : { origin }), ...headers },
    body: JSON.stringify(body),
  });
}

/** Opens a session and returns the response's body. */
export async function openSession(stack, key, body, options) {
  const response = await postSession(stack, key, body, options);
  const opened = await response.json();
  assert.equal(response.status, 200, JSON.stringify(opened));
  return opened;
}

/** A request with a visitor's token. */
export function visit(stack, session, method, path, { origin = SITE, url = stack.url, headers = {}, body, signal } = {}) {
  return fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${session.token}`, ...(origin === null ? {} : { origin }), ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
}

/** A message as the widget sends it. */
export function postMessage(stack, session, fields = {}, { headers = {}, ...options } = {}) {
  const body = { model: "auto", messages: [{ role: "user", content: "Hello" }], ...fields };
  return visit(stack, session, "POST", "/v1/chat/completions", { body, headers: { "x-session-id": session.session_id, ...headers }, ...options });
}

/** The parts of a visitor's token: what is signed, as lines, and the signature. */
export function tokenParts(token) {
  const bytes = Buffer.from(token.slice("cl_vt_".length), "base64url");
  return { lines: bytes.subarray(0, -32).toString().split("\n"), tag: bytes.subarray(-32) };
}

/** A visitor's token of these lines, signed with the deployment's key. */
export function sealToken(lines, key = process.env.SIGNING_KEY) {
  const text = Buffer.from(lines.join("\n"));
  const mac = createHmac("sha256", key);
  for (const part of [Buffer.from("visitor-token"), text]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    mac.update(length).update(part);
  }
  return `cl_vt_${Buffer.concat([text, mac.digest()]).toString("base64url")}`;
}

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** The key pairs of a site's back end by algorithm: `{ privateKey, publicKey }`; the public one is PEM. */
export const backEnds = () => {
  const options = { publicKeyEncoding: { type: "spki", format: "pem" } };
  return {
    ES256: generateKeyPairSync("ec", { namedCurve: "P-256", ...options }),
    RS256: generateKeyPairSync("rsa", { modulusLength: 2048, ...options }),
    EdDSA: generateKeyPairSync("ed25519", options),
  };
};

/** A token of a site's back end for a user. */
export function userToken(algorithm, privateKey, claims, header = {}) {
  const now = Math.floor(Date.now() / 1000);
  const message = `${encoded({ alg: algorithm, typ: "JWT", ...header })}.${encoded({ iat: now, exp: now + 600, ...claims })}`;
  const signature = {
    ES256: () => createSign("sha256").update(message).sign({ key: privateKey, dsaEncoding: "ieee-p1363" }),
    RS256: () => createSign("sha256").update(message).sign(privateKey),
    EdDSA: () => sign(null, Buffer.from(message), privateKey),
    HS256: () => createHmac("sha256", privateKey).update(message).digest(),
    none: () => Buffer.alloc(0),
  }[algorithm]();
  return `${message}.${signature.toString("base64url")}`;
}
