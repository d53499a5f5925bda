// Attacks 1 to 7 and 9: keys that are absent, malformed, guessed, misplaced or no longer valid.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { nearMiss, unknownKey, withBadChecksum } from "../harness/keys.mjs";
import { exchange } from "../harness/raw-http.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => (stack = await startStack({ tenants: 3 })));
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

let nextAddress = 1;
/** A new client address, because wrong keys count per address. */
const newAddress = () => ({ "cf-connecting-ip": `192.0.2.${nextAddress++}` });

/** The response to a wrong key without the request id. */
async function refusal(options) {
  const response = await postChat(stack, chatBody(), options);
  const headers = [...response.headers].filter(([name]) => !["x-request-id", "date"].includes(name));
  const text = await response.text();
  assert.equal(response.status, 401, text);
  assert.equal(stack.upstream.requests.length, 0, "the provider is not called");
  return { text, headers };
}

/** Asserts that a key lookup fails at the moment. */
async function expectFailedRead(headers) {
  await expectError(await postChat(stack, chatBody(), { key: unknownKey(), headers }), 500);
}

/** Runs `use` while the table of keys cannot be read. */
async function withoutKeysTable(use) {
  await stack.rows("ALTER TABLE api_keys RENAME TO api_keys_away");
  try {
    await use();
  } finally {
    await stack.rows("ALTER TABLE api_keys_away RENAME TO api_keys");
  }
}

describe("attack 1: no valid bearer", () => {
  for (const [name, authorization] of Object.entries({
    missing: [],
    empty: [""],
    basic: [`Basic ${Buffer.from("user:password").toString("base64")}`],
    without_a_scheme: ["cl_sk_abc"],
    bearer_without_a_key: ["Bearer "],
  })) {
    test(`${name}_is_401`, async () => {
      const response = await postChat(stack, chatBody(), { key: null, headers: Object.fromEntries(authorization.map((value) => ["authorization", value])) });
      await expectError(response, 401);
      assert.equal(stack.upstream.requests.length, 0);
    });
  }

  test("two_good_headers_are_401", async () => {
    const body = Buffer.from(JSON.stringify(chatBody()));
    const line = `authorization: Bearer ${stack.key}`;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${line}\r\n${line}`;
    const { status, text } = await exchange(stack.url, head, [body]);
    assert.equal(status, 401, text);
    assert.equal(stack.upstream.requests.length, 0);
  });
});

test("attack 2: SQL_in_the_bearer_is_401_and_changes_no_row", async () => {
  const before = await stack.rowCounts();
  for (const text of ["' OR '1'='1", "cl_sk_' OR 1=1 --", "cl_sk_'; DROP TABLE api_keys; --", "cl_sk_\" UNION SELECT * FROM tenants --"]) {
    await refusal({ key: text, headers: newAddress() });
  }
  assert.deepEqual(await stack.rowCounts(), before);
});

test("attack 3: a_bad_checksum_is_401_without_a_storage_read", () =>
  withoutKeysTable(async () => {
    await refusal({ key: withBadChecksum(stack.key), headers: newAddress() });
    await refusal({ key: withBadChecksum(unknownKey()), headers: newAddress() });
    await expectFailedRead(newAddress());
  }));

test("attack 4: unknown_revoked_expired_and_foreign_keys_get_the_same_bytes", async () => {
  const [, revoked, expired] = stack.tenants;
  await stack.callLedger(revoked.tenant_id, { revoke: { key_id: await stack.keyId(revoked.tenant_id) } });
  await stack.rows("UPDATE api_keys SET expires_at = ?1 WHERE tenant_id = ?2", Date.now() - 1, expired.tenant_id);
  const unknown = await refusal({ key: unknownKey(), headers: newAddress() });
  assert.equal((await refusal({ key: revoked.secret_key, headers: newAddress() })).text, unknown.text);
  for (const key of [expired.secret_key, unknownKey("cl_pk_"), unknownKey("cl_at_"), withBadChecksum(stack.key), "sk-of-another-service"]) {
    assert.deepEqual(await refusal({ key, headers: newAddress() }), unknown);
  }
});

// A lookup by digest does not depend on how much of a key is right, so its timing reveals nothing.
test("attack 5: a_near_miss_is_rejected_like_any_wrong_key_and_no_key_is_stored_as_text", async () => {
  const near = nearMiss(stack.key);
  assert.deepEqual(await refusal({ key: near, headers: newAddress() }), await refusal({ key: unknownKey(), headers: newAddress() }));
  const tables = await stack.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'");
  for (const { name } of tables) {
    assert.ok(!JSON.stringify(await stack.rows(`SELECT * FROM "${name}"`)).includes(stack.key.slice(6)), name);
  }
});

test("attack 6: an_address_that_guesses_keys_is_rejected_before_storage_is_read", async () => {
  const headers = newAddress();
  for (let guess = 0; guess < 20; guess += 1) await refusal({ key: unknownKey(), headers });
  const stopped = async () => {
    const response = await postChat(stack, chatBody(), { key: unknownKey(), headers });
    const wait = Number(response.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 60, `retry-after: ${wait}`);
    await expectError(response, 429, { code: "rate_limit_exceeded" });
  };
  await stopped();
  await withoutKeysTable(async () => {
    await stopped();
    await expectFailedRead(newAddress()); // keys from another address are still looked up
  });
});

test("attack 6: wrong_guesses_from_elsewhere_do_not_lock_a_good_key_out", async () => {
  const headers = newAddress();
  for (let guess = 0; guess < 22; guess += 1) await (await postChat(stack, chatBody(), { key: unknownKey(), headers })).arrayBuffer();
  await complete(stack, {}, { headers: newAddress() });
});

test("attack 6: guesses_from_one_ipv6_network_count_together_in_every_spelling", async () => {
  const from = (address) => ({ "cf-connecting-ip": address });
  const spellings = (host) => [`2001:db8:6:6::${host}`, `2001:0DB8:0006:0006:0:0:0:${host}`, `2001:db8:6:6:ffff:ffff:ffff:${host}`];
  for (let guess = 0; guess < 20; guess += 1) await refusal({ key: unknownKey(), headers: from(spellings((guess + 1).toString(16))[guess % 3]) });
  for (const address of spellings("abcd")) {
    await expectError(await postChat(stack, chatBody(), { key: unknownKey(), headers: from(address) }), 429, { code: "rate_limit_exceeded" });
  }
  await refusal({ key: unknownKey(), headers: from("2001:db8:6:7::1") });
});

test("attack 6: an_ipv4_address_counts_alone_and_however_it_is_embedded", async () => {
  const from = (address) => ({ "cf-connecting-ip": address });
  const spellings = ["198.51.100.6", "::ffff:198.51.100.6", "::FFFF:C633:6406"];
  for (let guess = 0; guess < 20; guess += 1) await refusal({ key: unknownKey(), headers: from(spellings[guess % 3]) });
  for (const address of spellings) {
    await expectError(await postChat(stack, chatBody(), { key: unknownKey(), headers: from(address) }), 429, { code: "rate_limit_exceeded" });
  }
  for (const address of ["198.51.100.7", "::ffff:198.51.100.8"]) await refusal({ key: unknownKey(), headers: from(address) });
});

test("attack 6: at_a_health_check_unknown_tokens_count_and_tokens_of_tenant_admins_do_not", async () => {
  // The gateway looks tokens up itself if the admin Worker does not respond.
  const alone = await startStack({ without: ["ADMIN"] });
  try {
    const token = async (role) => {
      const text = unknownKey("cl_at_");
      const digest = createHash("sha256").update(text).digest("hex");
      const id = `adm_0${digest.slice(0, 25).toUpperCase()}`;
      await alone.rows("INSERT INTO admin_tokens (id, digest, name, role, created_at) VALUES (?1, ?2, 'n', ?3, 1)", id, digest, role);
      return text;
    };
    const poll = async (text, address) => {
      const response = await fetch(`${alone.url}/health`, { headers: { authorization: `Bearer ${text}`, "cf-connecting-ip": address } });
      return "problems" in (await response.json());
    };
    const bound = await token(`tenant_admin:${alone.tenants[0].tenant_id}`);
    for (let count = 0; count < 30; count += 1) assert.equal(await poll(bound, "198.51.100.50"), false);
    const viewer = await token("viewer");
    assert.equal(await poll(viewer, "198.51.100.50"), true, "the address is not blocked");
    // Unknown tokens count, in one IPv6 network together.
    for (let count = 0; count < 22; count += 1) assert.equal(await poll(unknownKey("cl_at_"), `2001:db8:50:50::${count}`), false);
    assert.equal(await poll(viewer, "2001:db8:50:50::ffff"), false);
    assert.equal(await poll(viewer, "2001:db8:50:51::1"), true);
  } finally {
    await alone.stop();
  }
});

test("attack 7: a_key_in_the_query_string_is_401_and_never_logged", async () => {
  for (const name of ["key", "api_key", "apikey", "access_token", "authorization"]) {
    const value = encodeURIComponent(name === "authorization" ? `Bearer ${stack.key}` : stack.key);
    for (const path of ["/v1/models", "/v1/models/scripted-model", `/v1/models/${stack.key.replaceAll("_", "%5F")}`]) {
      await expectError(await fetch(`${stack.url}${path}?${name}=${value}`), 401);
    }
    const response = await fetch(`${stack.url}/v1/chat/completions?${name}=${value}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(chatBody()),
    });
    await expectError(response, 401);
  }
  // As a name, with a valid key in the header.
  const headers = { authorization: `Bearer ${stack.key}`, "content-type": "application/json" };
  await expectError(await fetch(`${stack.url}/v1/sessions?metadata[${stack.key}]=1&metadata[${stack.key}]=2`, { headers }), 400);
  const body = JSON.stringify({ [stack.key]: 1 });
  await expectError(await fetch(`${stack.url}/v1/sessions`, { method: "POST", headers, body }), 400);
  assert.equal(stack.upstream.requests.length, 0);
  await until(() => stack.logs.filter(({ message }) => message.includes('"request refused"')).length >= 2, "the refusals are logged");
  assert.ok(!JSON.stringify(stack.logs).includes(stack.key.slice(6)), "the key is not in the log");
});

describe("attack 9: a key that was valid a moment ago", () => {
  test("is_401_at_the_next_request_after_its_revocation_in_a_warm_isolate", async () => {
    const { key, keyId } = await stack.addKey(stack.tenants[0].tenant_id);
    await complete(stack, {}, { key, headers: newAddress() });
    await stack.callLedger(stack.tenants[0].tenant_id, { revoke: { key_id: keyId } });
    stack.upstream.reset();
    await refusal({ key, headers: newAddress() });
    await expectError(await fetch(`${stack.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }), 401);
    await complete(stack, {}, { headers: newAddress() });
  });

  test("is_401_at_its_expiry_although_the_isolate_caches_it", async () => {
    const { key, keyId } = await stack.addKey(stack.tenants[0].tenant_id);
    const end = Date.now() + 1500;
    await stack.rows("UPDATE api_keys SET expires_at = ?1 WHERE id = ?2", end, keyId);
    await complete(stack, {}, { key, headers: newAddress() });
    await new Promise((resolve) => setTimeout(resolve, end - Date.now() + 20));
    stack.upstream.reset();
    await refusal({ key, headers: newAddress() });
  });
});
