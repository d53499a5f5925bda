// Attacks 55 and 56: logs contain no secrets and cannot be forged.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { events, failure, json } from "../harness/behaviours.mjs";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { chatBody, complete, completeStream, postChat, postChatWhile } from "../harness/client.mjs";
import { unknownKey, withBadChecksum } from "../harness/keys.mjs";
import { exchange } from "../harness/raw-http.mjs";
import { BOOTSTRAP_TOKEN, startStack } from "../harness/stack.mjs";
import { startUpstream } from "../harness/upstream.mjs";
import { until } from "../harness/wait.mjs";

const PROVIDER_KEY = "provider-key-canary-5f1d";
const SIGNING_KEY = "signing-key-canary-0123456789abcdef0123";
const WORDS = "conversation-canary";

let stack;
let upstream;
before(async () => {
  upstream = await startUpstream();
  const PROVIDERS = JSON.stringify([upstream.provider({ key: "PROVIDER_KEY" })]);
  stack = await startStack({ upstream, vars: { LOG_LEVEL: "trace", PROVIDERS, PROVIDER_KEY, SIGNING_KEY } });
});
after(async () => {
  await stack.stop();
  await upstream.close();
});

const lines = () => stack.logs.map(({ message }) => message);

test("attack 55: no_key_token_digest_or_word_of_a_conversation_is_in_a_log_or_an_error", async () => {
  const chat = { messages: [{ role: "user", content: WORDS }] };
  const wrong = [unknownKey(), withBadChecksum(stack.key)];
  const responses = [];
  const record = async (response) => responses.push(await response.text(), JSON.stringify([...response.headers]));

  await complete(stack, chat, { headers: { "x-session-id": "logged" } });
  await completeStream(stack, chat);
  assert.equal(upstream.requests.at(-1).headers.authorization, `Bearer ${PROVIDER_KEY}`, "only the provider receives its key");
  for (const key of wrong) await record(await postChat(stack, chatBody(), { key }));
  await record(await fetch(`${stack.url}/v1/models?key=${stack.key}&api_key=${BOOTSTRAP_TOKEN}`));
  await record(await fetch(`${stack.url}/v1/${stack.key}`, { headers: { authorization: `Bearer ${stack.key}` } }));
  await record(await fetch(`${stack.url}/v1/models`, { headers: { authorization: `Basic ${stack.key}` } }));
  for (const body of [`{"model":"scripted-model","messages":"${WORDS}"}`, `{"${WORDS}":`, `{"model":"x","messages":[],"api_key":"${stack.key}"}`]) await postChat(stack, body).then((response) => response.text());
  stack.upstream.next(failure(500), failure(500), failure(500), failure(401));
  for (let count = 0; count < 2; count += 1) await record(await postChat(stack, chatBody(chat)));
  const { body: minted } = await stack.admin("POST", `/tenants/${stack.tenants[0].tenant_id}/keys`, { name: "canary", scopes: ["chat"] });
  const { body: token } = await stack.admin("POST", "/tokens", { name: "canary", role: "owner" }, { token: BOOTSTRAP_TOKEN });
  await stack.admin("GET", "/tokens", undefined, { token: token.token });
  await stack.admin("GET", `/tenants/${stack.tenants[0].tenant_id}/sessions/logged/messages`);
  await stack.admin("PATCH", `/tenants/${stack.tenants[0].tenant_id}`, { name: "x", system_prompt: `${WORDS}\u0000` });

  const digests = (await stack.rows("SELECT digest FROM api_keys UNION SELECT digest FROM admin_tokens")).map(({ digest }) => digest);
  const secrets = [stack.key, stack.adminToken, minted.key, token.token, ...wrong].map((key) => key.slice(6));
  await until(() => lines().length > 20, "the log is not empty");
  for (const secret of [...secrets, ...digests, BOOTSTRAP_TOKEN, PROVIDER_KEY, SIGNING_KEY, WORDS]) {
    assert.ok(!lines().some((line) => line.includes(secret)), `${secret} in the log`);
    if (secret !== WORDS) assert.ok(!responses.some((text) => text.includes(secret)), `${secret} in a response`);
  }
});

test("attack 55: a_provider_that_quotes_our_key_is_not_passed_on", async () => {
  const quote = { error: { message: `Bad header: Bearer ${PROVIDER_KEY}`, type: "invalid_request_error", param: PROVIDER_KEY, code: null } };
  const behaviours = [json(400, quote), json(422, quote), json(200, quote), events(() => [quote]), events((request) => [
    { id: "x", object: "chat.completion.chunk", created: 1, model: request.body.model, choices: [{ index: 0, delta: { role: "assistant", content: "Hel" }, finish_reason: null }] },
    quote,
  ])];
  for (const behaviour of behaviours) {
    for (const stream of [false, true]) {
      const response = await postChatWhile(stack, behaviour, { stream });
      const text = JSON.stringify([...response.headers]) + (await response.text());
      assert.ok(text.includes("error") && !text.includes(PROVIDER_KEY), text);
    }
  }
  stack.upstream.reset();
  await until(() => lines().some((line) => line.includes("quotes the provider's key")), "the log says why the message is withheld");
  assert.ok(!lines().some((line) => line.includes(PROVIDER_KEY)), "the key is not logged");
});

test("attack 55: a_panic_writes_no_key_and_no_content_of_its_request_or_of_concurrent_requests", async () => {
  const vars = { LOG_LEVEL: "trace", PROVIDERS: JSON.stringify([upstream.provider({ key: "PROVIDER_KEY" })]), PROVIDER_KEY, SIGNING_KEY };
  const panicking = await startStack({ upstream, vars, build: BUILD_WITH_FAULTS });
  try {
    const chat = { messages: [{ role: "user", content: WORDS }] };
    await complete(panicking, chat, { headers: { "x-session-id": "before-a-panic" } });
    // A concurrent request in the middle of its provider call.
    const arrived = new Promise((resolve) => upstream.next(async () => resolve()));
    const concurrentResponse = postChat(panicking, chatBody({ ...chat, stream: true }), { headers: { "x-session-id": "before-a-panic" } });
    await arrived;
    const body = Buffer.from(JSON.stringify(chatBody({ ...chat, api_key: panicking.key })));
    const head = `GET /__test/panic?key=${panicking.key}&content=${WORDS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${panicking.key}\r\ncookie: ${WORDS}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    const panicked = await exchange(panicking.url, head, [body]);
    const concurrent = await concurrentResponse;
    const responses = [panicked.raw, JSON.stringify([...concurrent.headers]), await concurrent.text()];
    assert.deepEqual([panicked.status, concurrent.status], [500, 500]);
    const ids = [panicked.headers.get("x-request-id"), concurrent.headers.get("x-request-id")];
    const isLogged = (id) => panicking.logs.some(({ message }) => message.includes('"serve request failed"') && message.includes(id));
    await until(() => ids.every(isLogged), "a log line for each failed request");
    await until(() => panicking.logs.some(({ message }) => message.includes("a panic on purpose")), "the panic message is logged");
    const log = panicking.logs.map((entry) => JSON.stringify(entry));
    const digests = (await panicking.rows("SELECT digest FROM api_keys")).map(({ digest }) => digest);
    for (const secret of [panicking.key.slice(6), ...digests, PROVIDER_KEY, SIGNING_KEY, WORDS]) {
      for (const text of [...log, ...responses]) assert.ok(!text.includes(secret), `${secret} in ${text}`);
    }
  } finally {
    await panicking.stop();
  }
});

describe("attack 56: line breaks and terminal codes in logs", () => {
  test("every_line_is_one_JSON_object_without_a_control_character", async () => {
    const from = lines().length;
    const forged = 'forged\r\n{"level":"ERROR","message":"forged"}\u001b[31m\u007f\u009b2J\u2028\u202e';
    const encoded = encodeURIComponent(forged);
    const auth = { authorization: `Bearer ${stack.key}` };
    for (const path of [`/v1/${encoded}`, `/v1/sessions/${encoded}`, `/v1/models/${encoded}`, `/v1/sessions?title=${encoded}&${encoded}=1`]) {
      await fetch(`${stack.url}${path}`, { headers: auth }).then((response) => response.text());
    }
    for (const body of [chatBody({ model: forged }), chatBody({ [forged]: 1 }), chatBody({ messages: [{ role: forged }] }), chatBody({ tools: [{ type: "function", function: { name: forged } }] })]) {
      await postChat(stack, body).then((response) => response.text());
    }
    await stack.admin("POST", "/tenants", { [forged]: 1 });
    await stack.admin("POST", "/tenants", { name: forged });
    await stack.admin("GET", `/tenants/${encoded}`);
    await exchange(stack.url, `GET /v1/models\u001b[31m HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${stack.key}`, []);

    const since = () => lines().slice(from);
    await until(() => since().length > 10 && since().some((line) => line.includes("forged")), "the forged text is logged");
    const written = since();
    for (const line of written) {
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/, JSON.stringify(line));
      assert.equal(typeof JSON.parse(line).level, "string", line);
      assert.notEqual(JSON.parse(line).message, "forged");
    }
  });
});
