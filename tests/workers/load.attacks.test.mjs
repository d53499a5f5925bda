// Attacks 63 and 64: one client tries to fill the memory or the time of an isolate.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import { completionOrStream } from "../harness/behaviours.mjs";
import { BUILD_WITH_FAULTS } from "../harness/bundle.mjs";
import { chatBody, complete, expectError, postChat } from "../harness/client.mjs";
import { addLongSession } from "../harness/long-session.mjs";
import { exchange, openUnread } from "../harness/raw-http.mjs";
import { startStack } from "../harness/stack.mjs";
import { faultState, plan } from "../harness/storage-faults.mjs";
import { startUpstream } from "../harness/upstream.mjs";

const MiB = 1024 * 1024;
/** The isolate's limits, as in clawless-edge/src/http/load.rs. */
const MAX_BYTES = 96_000_000;
const MAX_KEY_READS = 4;
const MAX_KEY_EXPORTS = 2;

let stack, upstream, attacker, other, third;
before(async () => {
  upstream = await startUpstream();
  const provider = upstream.provider({ models: [{ id: "scripted-model", context: 20_000_000, max_output: 4096 }] });
  stack = await startStack({ tenants: 3, build: BUILD_WITH_FAULTS, upstream, vars: { PROVIDERS: JSON.stringify([provider]) } });
  [attacker, other, third] = stack.tenants;
  for (const tenant of [attacker, other]) await addLongSession(stack, tenant.tenant_id, "long", { count: 40, bytes: 400_000 });
});
after(async () => {
  await stack.stop();
  await upstream.close();
});
beforeEach(() => upstream.reset());

const load = async () => (await fetch(`${stack.url}/__test/load`)).json();
const get = (key, path) => fetch(`${stack.url}/v1/sessions${path}`, { headers: { authorization: `Bearer ${key}` } });
const exportHead = (key) => `GET /v1/sessions/long/export HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: Bearer ${key}`;

async function until(reached, what, timeoutMs) {
  for (const end = Date.now() + timeoutMs; !(await reached()); await sleep(100)) {
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(await load())}`);
  }
}
const untilFree = (timeoutMs) => until(async () => (await load()).exports === 0, "the exports have ended", timeoutMs);

/** Checks a refusal with the time to wait. */
async function expectBusy(response, status, code) {
  assert.match(response.headers.get("retry-after") ?? "", /^[1-9]\d?$/);
  await expectError(response, status, { code });
}

/** The messages of an export. */
function messagesOf(text) {
  const { messages } = JSON.parse(text);
  assert.equal(messages.length, 40);
  assert.ok(messages.every(({ message }) => message.content === "x".repeat(400_000)));
}

describe("attack 63: unread exports", () => {
  test("over_the_limit_are_429_and_hold_one_page_each_while_others_are_served", async () => {
    await plan(stack.url, []);
    const opened = [];
    for (let count = 0; count < MAX_KEY_EXPORTS; count += 1) opened.push(await openUnread(stack.url, exportHead(attacker.secret_key)));
    try {
      await until(async () => (await load()).exports === MAX_KEY_EXPORTS, "the exports run", 10_000);
      await expectBusy(await get(attacker.secret_key, "/long/export"), 429, "rate_limit_exceeded");
      await sleep(3_000);
      const { calls } = await faultState(stack.url);
      const { bytes } = await load();
      // 20 pages of each export could be read; the connections' buffers take a few of them.
      assert.ok(calls.query < 35, `${calls.query} queries`);
      assert.ok(bytes < MAX_KEY_EXPORTS * 4 * MiB, `${bytes} bytes`);
      const export_of_another = await get(other.secret_key, "/long/export");
      assert.equal(export_of_another.status, 200);
      messagesOf(await export_of_another.text());
      await complete(stack, {}, { key: other.secret_key });
    } finally {
      for (const { close } of opened) close();
    }
    await untilFree(10_000);
  });

  test("of_a_client_that_left_are_free_at_once", async () => {
    for (let round = 0; round < 3; round += 1) {
      const opened = [];
      for (let count = 0; count < MAX_KEY_EXPORTS; count += 1) opened.push(await openUnread(stack.url, exportHead(attacker.secret_key)));
      await until(async () => (await load()).exports === MAX_KEY_EXPORTS, "the exports run", 10_000);
      for (const { close } of opened) close();
      // Far less than the timeout of a reader without progress.
      await untilFree(10_000);
    }
    const { bytes, pages } = await load();
    assert.deepEqual([bytes, pages], [0, 0]);
  });

  test("a_slow_reader_gets_its_export_byte_for_byte", async () => {
    const reader = await openUnread(stack.url, exportHead(attacker.secret_key));
    const { status, text, complete: isComplete } = await reader.read({ pauseMs: 25 });
    assert.deepEqual([status, isComplete], [200, true]);
    messagesOf(text);
    await untilFree(5_000);
  });

  test("a_reader_without_progress_is_ended", async () => {
    const reader = await openUnread(stack.url, exportHead(attacker.secret_key));
    await until(async () => (await load()).exports === 1, "the export runs", 10_000);
    await untilFree(45_000);
    assert.ok(stack.logs.some(({ message }) => message.includes("answer ended, client stalled")));
    const { complete: isComplete, text } = await reader.read();
    assert.ok(!isComplete, "the connection is closed before the end");
    assert.throws(() => JSON.parse(text));
  });
});

describe("attack 63: many lists of long messages", () => {
  test("run_a_few_at_a_time_and_the_rest_waits_or_is_429", async () => {
    const lists = Array.from({ length: 40 }, () => get(attacker.secret_key, "/long/messages?limit=100"));
    const seen = [];
    const watching = (async () => {
      for (let count = 0; count < 20; count += 1) {
        seen.push(await load());
        await sleep(50);
      }
    })();
    await complete(stack, {}, { key: other.secret_key });
    const statuses = [];
    for (const response of await Promise.all(lists)) {
      statuses.push(response.status);
      if (response.status === 429) await expectBusy(response, 429, "rate_limit_exceeded");
      else assert.ok((await response.json()).data.length < 5, "a page ends at 1 MiB");
    }
    await watching;
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
    assert.ok(seen.every(({ pages, bytes }) => pages <= MAX_KEY_READS && bytes < MAX_BYTES), JSON.stringify(seen));
    assert.ok(seen.some(({ pages }) => pages > 0), "the reads overlap");
    await until(async () => (await load()).bytes === 0, "everything is released", 10_000);
  });
});

describe("attack 63: large bodies", () => {
  const large = () => JSON.stringify(chatBody({ messages: [{ role: "user", content: "x".repeat(4 * MiB - 1000) }] }));
  const send = (tenant) => postChat(stack, large(), { key: tenant.secret_key });

  test("over_the_share_of_a_tenant_are_429_and_over_the_memory_503_before_they_are_read", async () => {
    const { promise: opened, resolve: open } = Promise.withResolvers();
    upstream.always(async (...call) => {
      await opened;
      await completionOrStream()(...call);
    });
    const running = [send(attacker), send(attacker)];
    const areRunning = (count) => until(async () => (await load()).requests === count && upstream.requests.length === count, "the requests run", 20_000);
    try {
      await areRunning(2);
      await expectBusy(await send(attacker), 429, "rate_limit_exceeded");
      running.push(send(other), send(other));
      await areRunning(4);
      const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nauthorization: Bearer ${third.secret_key}\r\ncontent-length: ${4 * MiB}`;
      const refused = await exchange(stack.url, head, [Buffer.from("{")]);
      assert.equal(refused.status, 503, refused.raw);
      assert.equal(JSON.parse(refused.text).error.code, "overloaded");
      assert.match(refused.headers.get("retry-after"), /^[1-9]\d?$/);
      const { bytes, peak } = await load();
      assert.ok(bytes > MAX_BYTES / 2 && peak <= MAX_BYTES, `${bytes} bytes, at most ${peak}`);
      assert.equal((await get(third.secret_key, "")).status, 200, "small requests are served");
    } finally {
      open();
    }
    for (const response of await Promise.all(running)) assert.equal(response.status, 200, await response.text());
    await until(async () => (await load()).bytes === 0, "everything is released", 10_000);
    upstream.reset();
    assert.equal((await send(third)).status, 200);
  });
});

describe("attack 64: slow bodies", () => {
  /** One byte a second; ends when a response begins. */
  async function* drip(part) {
    for (let count = 0; count < 60; count += 1) {
      await sleep(1_000);
      yield Buffer.from(part);
    }
  }
  const head = (length) => `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nauthorization: Bearer ${third.secret_key}\r\n${length}`;

  test("are_408_after_ten_seconds_whatever_they_announce", async () => {
    const started = Date.now();
    const responses = await Promise.all([
      exchange(stack.url, head("content-length: 200"), drip(" "), { timeoutMs: 40_000 }),
      exchange(stack.url, head(`content-length: ${3 * MiB}`), drip(" "), { timeoutMs: 40_000 }),
      exchange(stack.url, head("transfer-encoding: chunked"), drip("1\r\n \r\n"), { timeoutMs: 40_000 }),
      exchange(stack.url, head(`content-length: ${5 * MiB}`), drip(" "), { timeoutMs: 40_000 }),
      exchange(stack.url, head("content-length: 200"), [], { timeoutMs: 40_000 }),
    ]);
    const millis = Date.now() - started;
    // The body that announces more than the limit is not read to its end either.
    const expected = ["request_timeout", "request_timeout", "request_timeout", "request_too_large", "request_timeout"];
    assert.deepEqual(responses.map(({ text }) => JSON.parse(text).error.code), expected);
    assert.ok(responses.every(({ status }) => status === 408 || status === 413));
    assert.ok(millis > 9_000 && millis < 20_000, `${millis} ms`);
    await until(async () => (await load()).bytes === 0, "everything is released", 10_000);
    await complete(stack, {}, { key: third.secret_key });
  });

  test("of_a_client_that_left_are_released", async () => {
    const opened = [];
    for (let count = 0; count < 3; count += 1) opened.push(await openUnread(stack.url, head(`content-length: ${3 * MiB}`)));
    await until(async () => (await load()).requests === 3, "the bodies are awaited", 10_000);
    for (const { close } of opened) close();
    await until(async () => (await load()).bytes === 0, "everything is released", 5_000);
  });
});
