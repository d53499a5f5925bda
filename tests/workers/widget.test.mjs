// The widget's sessions: continued by the visitor's secret, identified by tokens of the site's back end.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { completionOrStream, silence } from "../harness/behaviours.mjs";
import { ROOT } from "../harness/bundle.mjs";
import { expectError } from "../harness/client.mjs";
import { PNG, SITE, backEnds, createSite, openSession, postMessage, postSession, userToken, visit } from "../harness/widget.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
let site;
before(async () => {
  stack = await startStack();
  site = await createSite(stack);
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

const continued = ({ session_id, visitor_secret }, fields = {}) => ({ conversation: session_id, visitor_secret, ...fields });

describe("a conversation is continued", () => {
  test("with_the_secret_and_nothing_else", async () => {
    const first = await openSession(stack, site.key);
    assert.equal((await postMessage(stack, first)).status, 200);
    const again = await openSession(stack, site.key, continued(first));
    assert.deepEqual([again.session_id, again.visitor_secret], [first.session_id, undefined]);
    assert.equal((await postMessage(stack, again)).status, 200);
    const other = await openSession(stack, site.key);
    for (const body of [{ conversation: first.session_id }, continued(first, { visitor_secret: other.visitor_secret }), continued(first, { visitor_secret: "" }), continued(first, { conversation: "chosen-by-a-client" }), continued(first, { conversation: ".." })]) {
      const opened = await openSession(stack, site.key, body);
      assert.notEqual(opened.session_id, first.session_id);
      assert.match(opened.session_id, /^web_/, "the server creates ids");
    }
    const elsewhere = await createSite(stack);
    assert.notEqual((await openSession(stack, elsewhere.key, continued(first))).session_id, first.session_id, "another tenant");
  });

  test("with_its_running_turn", async () => {
    const session = await openSession(stack, site.key);
    stack.upstream.next(silence());
    const abort = new AbortController();
    const running = postMessage(stack, session, { stream: true }, { signal: abort.signal }).catch((error) => error);
    while (stack.upstream.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const again = await openSession(stack, site.key, continued(session));
    assert.match(again.resumable, /^req_/);
    const other = await openSession(stack, site.key);
    assert.equal(other.resumable, null);
    abort.abort();
    await running;
  });

  test("before_its_first_turn_is_stored_it_is_empty_and_can_be_deleted", async () => {
    const session = await openSession(stack, site.key);
    const path = `/v1/sessions/${session.session_id}`;
    const list = async () => (await (await visit(stack, session, "GET", `${path}/messages?order=desc&limit=100`)).json()).data;
    assert.deepEqual(await list(), []);
    stack.upstream.next(completionOrStream({ delayMs: 300 }));
    const running = postMessage(stack, session, { stream: true });
    await until(() => stack.upstream.requests.length === 1, "the turn runs");
    assert.deepEqual(await list(), []);
    const busy = await visit(stack, session, "DELETE", path);
    assert.ok(Number(busy.headers.get("retry-after")) > 0);
    await expectError(busy, 409, { code: "session_busy" });
    await (await running).text();
    assert.equal((await list()).length, 2);
    assert.equal((await visit(stack, session, "DELETE", path)).status, 200);
    assert.equal((await visit(stack, session, "DELETE", path)).status, 200, "a repeat");
    assert.deepEqual(await list(), []);
    const silent = await openSession(stack, site.key);
    assert.equal((await visit(stack, silent, "DELETE", `/v1/sessions/${silent.session_id}`)).status, 200);
    assert.notEqual((await openSession(stack, site.key, continued(silent))).session_id, silent.session_id);
  });

  test("not_after_it_was_deleted", async () => {
    const session = await openSession(stack, site.key);
    assert.equal((await postMessage(stack, session)).status, 200);
    assert.equal((await visit(stack, session, "DELETE", `/v1/sessions/${session.session_id}`)).status, 200);
    assert.notEqual((await openSession(stack, site.key, continued(session))).session_id, session.session_id);
  });

  test("a_message_is_charged_once_however_often_it_is_sent", async () => {
    const session = await openSession(stack, site.key);
    const send = () => postMessage(stack, session, {}, { headers: { "idempotency-key": "message-1" } });
    const [first, second] = [await send(), await send()];
    assert.equal((await first.json()).id, (await second.json()).id);
    assert.equal(stack.upstream.requests.length, 1);
    // Another visitor does not get the answer.
    const other = await openSession(stack, site.key);
    await expectError(await postMessage(stack, other, {}, { headers: { "idempotency-key": "message-1" } }), 422);
  });
});

describe("settings and logo", () => {
  test("they_reach_the_browser", async () => {
    const settings = { title: "Acme", welcome: "Hi!", starter_prompts: ["Where is my order?"], colours: { accent: "#5746e0" }, theme: "paper", languages: ["en", "de"] };
    const own = await createSite(stack, { settings });
    const stored = await stack.admin("PUT", `${own.path}/widget/logo`, { image: PNG });
    assert.match(stored.body.logo, /^\/widget\/logos\/[0-9a-f]{64}$/);
    const session = await openSession(stack, own.key);
    const { logo_url: logo, ...rest } = session.settings;
    assert.deepEqual(rest, settings);
    // A small one saves a request.
    assert.equal(logo, `data:image/png;base64,${PNG}`);
    const { body: audit } = await stack.admin("GET", `/audit?tenant_id=${own.tenant}`);
    assert.deepEqual(audit.data.map(({ action }) => action).slice(0, 2), ["widget.logo", "widget.update"]);
  });

  test("come_with_the_texts_of_the_language_that_the_widget_needs", async () => {
    const { version: widget_version } = JSON.parse(readFileSync(path.join(ROOT, "widget/package.json"), "utf8"));
    const own = await createSite(stack);
    const stringsOf = async (fields) => (await openSession(stack, own.key, fields)).strings;
    const german = JSON.parse(readFileSync(path.join(ROOT, "widget/locales/de.json"), "utf8"));
    assert.deepEqual(await stringsOf({ language: "de", widget_version }), german);
    for (const fields of [{}, { language: "en", widget_version }, { language: "../de", widget_version }, { language: "de", widget_version: "9.9.9" }]) assert.equal(await stringsOf(fields), undefined, JSON.stringify(fields));
  });

  test("a_rotated_key_keeps_them", async () => {
    const own = await createSite(stack, { settings: { title: "Kept" } });
    const session = await openSession(stack, own.key);
    const { body: rotated } = await stack.admin("POST", `${own.path}/rotate`, {});
    const opened = await openSession(stack, rotated.key, continued(session));
    assert.deepEqual([opened.settings, opened.session_id], [{ title: "Kept" }, session.session_id]);
  });

  test("a_secret_key_has_no_widget", async () => {
    const tenant = stack.tenants[0].tenant_id;
    const { status, body } = await stack.admin("GET", `/tenants/${tenant}/keys/${await stack.keyId(tenant)}/widget`);
    assert.deepEqual([status, body.error.code], [409, "conflict"]);
  });
});

/** Too short to be safe. */
const WEAK_RSA = generateKeyPairSync("rsa", { modulusLength: 1024, publicKeyEncoding: { type: "spki", format: "pem" } }).publicKey;

describe("signed-in users", () => {
  const keys = backEnds();

  for (const [algorithm, { privateKey, publicKey }] of Object.entries(keys)) {
    test(`a_token_by_${algorithm}_identifies_the_user`, async () => {
      const own = await createSite(stack, { settings: { user_tokens: { algorithm, public_key: publicKey } } });
      const token = (claims = {}, header) => userToken(algorithm, privateKey, { sub: "user-42", aud: own.keyId, ...claims }, header);
      const session = await openSession(stack, own.key, { user_token: token() });
      const [{ user_id: user }] = await stack.rows("SELECT user_id FROM widget_sessions WHERE session_id = ?1", session.session_id);
      assert.equal(user, "user-42");
      const again = (user_token) => openSession(stack, own.key, continued(session, { user_token }));
      assert.equal((await again(token())).session_id, session.session_id);
      assert.notEqual((await again(token({ sub: "user-43" }))).session_id, session.session_id, "another user");
      assert.notEqual((await again(undefined)).session_id, session.session_id, "an anonymous visitor");

      const now = Math.floor(Date.now() / 1000);
      const hostile = {
        another_key: token({ aud: "key_01ARZ3NDEKTSV4RRFFQ69G5FAV" }),
        expired: token({ iat: now - 600, exp: now - 1 }),
        long: token({ exp: now + 3700 }),
        unsigned: userToken("none", null, { sub: "user-42", aud: own.keyId }),
        // The classic: the public key as the secret of an HMAC.
        confused: userToken("HS256", publicKey, { sub: "user-42", aud: own.keyId }),
        renamed: userToken("HS256", publicKey, { sub: "user-42", aud: own.keyId }, { alg: algorithm }),
        changed: token().replace(/\.[\w-]+\./, `.${Buffer.from(JSON.stringify({ sub: "admin", aud: own.keyId, exp: now + 60 })).toString("base64url")}.`),
        malformed: "a.b",
      };
      for (const [name, user_token] of Object.entries(hostile)) {
        const error = await expectError(await postSession(stack, own.key, { user_token }), 403, { code: "permission_denied" });
        assert.equal(error.param, "user_token", name);
      }
    });
  }

  test("a_site_may_require_them", async () => {
    const { privateKey, publicKey } = keys.EdDSA;
    const own = await createSite(stack, { settings: { user_tokens: { algorithm: "EdDSA", public_key: publicKey, required: true } } });
    await expectError(await postSession(stack, own.key), 403, { code: "permission_denied" });
    await openSession(stack, own.key, { user_token: userToken("EdDSA", privateKey, { sub: "a", aud: own.keyId }) });
    // A key without the setting accepts none.
    await expectError(await postSession(stack, site.key, { user_token: "a.b.c" }), 403, { code: "permission_denied" });
  });

  test("the_public_key_must_be_of_the_algorithm", async () => {
    for (const [algorithm, public_key] of [["ES256", keys.RS256.publicKey], ["RS256", keys.EdDSA.publicKey], ["EdDSA", keys.ES256.publicKey], ["EdDSA", keys.RS256.publicKey], ["RS256", WEAK_RSA], ["ES256", "-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----"]]) {
      const { status, body } = await stack.admin("PATCH", `${site.path}/widget`, { user_tokens: { algorithm, public_key } });
      assert.deepEqual([status, body.error.param], [400, "user_tokens.public_key"], algorithm);
    }
  });
});

test("the_body_is_checked", async () => {
  for (const [body, status] of [[{ conversation: 1 }, 400], [{ visitor_secret: [] }, 400], [{ user_token: "x".repeat(20_000) }, 413]]) {
    const response = await postSession(stack, site.key, body);
    assert.equal(response.headers.get("access-control-allow-origin"), SITE);
    await expectError(response, status);
  }
  const text = await fetch(`${stack.url}/v1/widget/session`, { method: "POST", headers: { authorization: `Bearer ${site.key}`, origin: SITE, "content-type": "text/plain" }, body: "{}" });
  await expectError(text, 415);
});
