// Faults 23 and 24, attack 45, and resume: clients that disconnect, resume and send concurrent turns.
import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, beforeEach, describe, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, eventsAsTheyArrive, expectError, postChat, readEvents } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";
import { until } from "../harness/wait.mjs";

let stack;
before(async () => {
  stack = await startStack({ tenants: 3, gateways: 2 });
  for (const { tenant_id } of stack.tenants) await stack.updateSettings(tenant_id, { limits: { requests_per_minute: null, burst: null, concurrent: null } });
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

let created = 0;
const newSession = () => `turns-${(created += 1)}`;
const user = (content) => ({ role: "user", content });
const receipts = (tenant) => stack.rows("SELECT * FROM receipts WHERE tenant_id = ? ORDER BY request_id", tenant);
const pieces = Array.from({ length: 40 }, (_, index) => `p${index};`);

/** A stream that counts the pieces it sent before the gateway disconnects. */
function countingStream(options = {}) {
  const seen = { sent: 0, closed: false };
  const behaviour = async (request, response) => {
    response.on("close", () => (seen.closed = true));
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of pieces) {
      if (seen.closed) return;
      response.write(`data: ${JSON.stringify(behaviours.chunk(request, { content: piece }))}\n\n`);
      seen.sent += 1;
      await sleep(options.delayMs ?? 25);
    }
    const usage = { ...behaviours.chunk(request, {}), choices: [], usage: { prompt_tokens: 11, completion_tokens: 120, total_tokens: 131 } };
    response.write(`data: ${JSON.stringify(behaviours.chunk(request, {}, "stop"))}\n\ndata: ${JSON.stringify(usage)}\n\ndata: [DONE]\n\n`);
    response.end();
    seen.ended = true;
  };
  return { seen, behaviour };
}

/** Opens a stream on a raw socket and closes the socket when `text` arrives. */
async function cutSocket(text, { key, session, stream = true }) {
  const { hostname, port } = new URL(stack.url);
  const socket = net.connect({ host: hostname, port: Number(port) });
  await once(socket, "connect");
  const body = JSON.stringify(chatBody({ stream }));
  const head = ["POST /v1/chat/completions HTTP/1.1", `host: ${hostname}`, `authorization: Bearer ${key}`, "content-type: application/json", `content-length: ${body.length}`, ...(session ? [`x-session-id: ${session}`] : [])];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  let received = "";
  for await (const part of socket) {
    received += part;
    if (received.includes(text)) break;
  }
  socket.destroy();
  return received;
}

describe("fault 23: the client closes its socket in the middle of a stream", () => {
  test("and_a_turn_of_a_session_is_stored_whole_and_settled_with_the_providers_usage", async () => {
    const session = newSession();
    const { tenant_id: tenant, secret_key: key } = stack.tenants[1];
    const { seen, behaviour } = countingStream();
    stack.upstream.next(behaviour);
    await cutSocket("p3;", { key, session });
    await until(() => seen.ended === true, "the provider's stream is read to its end");
    await until(async () => (await stack.rows("SELECT 1 FROM turns WHERE session_id = ?", session)).length === 1, "the turn is stored");
    const [{ status }] = await stack.rows("SELECT status FROM turns WHERE session_id = ?", session);
    assert.equal(status, "complete");
    const [{ content }] = await stack.rows("SELECT content FROM messages WHERE session_id = ? AND role = 'assistant'", session);
    assert.ok(content.includes(pieces.join("")));
    await until(async () => (await receipts(tenant)).length === 1, "a receipt is written");
    const [receipt] = await receipts(tenant);
    assert.deepEqual([receipt.tokens_in, receipt.tokens_out, receipt.provenance], [11, 120, "provider"]);
  });

  test("and_a_stateless_call_stops_its_provider_and_is_charged_for_the_received_text", async () => {
    const { tenant_id: tenant, secret_key: key } = stack.tenants[1];
    const { seen, behaviour } = countingStream({ delayMs: 100 });
    stack.upstream.next(behaviour);
    const known = (await receipts(tenant)).length;
    await cutSocket("p3;", { key });
    await until(() => seen.closed, "the provider is disconnected");
    assert.ok(seen.sent < pieces.length / 2, `${seen.sent} of ${pieces.length} pieces were sent`);
    await until(async () => (await receipts(tenant)).length === known + 1, "a receipt is written");
    const receipt = (await receipts(tenant)).at(-1);
    assert.equal(receipt.provenance, "estimated");
    assert.ok(receipt.tokens_out >= 4 && receipt.tokens_in > 0, JSON.stringify(receipt));
  });
});

test("attack_45_a_client_that_disconnects_after_the_first_token_a_hundred_times_pays_for_the_produced_tokens", async () => {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[2];
  const produced = [];
  stack.upstream.always(async (request, response) => {
    const { seen, behaviour } = countingStream({ delayMs: 20 });
    produced.push(seen);
    await behaviour(request, response);
  });
  for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 10 }, () => cutSocket("p0;", { key })));
  await until(async () => (await receipts(tenant)).length === 100, "one receipt per call", { timeoutMs: 30_000 });
  const booked = await receipts(tenant);
  // A piece such as `p1;` has at least one token; at least the text sent to the client was produced.
  for (const receipt of booked) assert.ok(receipt.charged_messages === 1 && receipt.tokens_out >= 1 && receipt.tokens_in >= 1, JSON.stringify(receipt));
  assert.ok(produced.every(({ closed, ended }) => closed && !ended), "every provider was disconnected early");
});

/** Opens a stream and closes its socket after some time; returns the number of pieces that the client received. */
async function abandonStream({ key, url, afterMs }) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  await once(socket, "connect");
  const body = JSON.stringify(chatBody({ stream: true }));
  const head = ["POST /v1/chat/completions HTTP/1.1", `host: ${hostname}`, `authorization: Bearer ${key}`, "content-type: application/json", `content-length: ${body.length}`];
  let received = "";
  socket.on("data", (part) => (received += part));
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  await sleep(afterMs);
  socket.destroy();
  return received.match(/"content":"z /g)?.length ?? 0;
}

test("attack_45_streams_abandoned_at_random_times_under_load_are_charged_at_least_what_was_delivered", async (context) => {
  const { tenant_id: tenant, secret_key: key } = stack.tenants[2];
  const known = (await receipts(tenant)).length;
  let [sent, open] = [0, 0];
  // One token a piece, in two bytes: an estimate by length alone would be half of the truth.
  stack.upstream.always(async (request, response) => {
    open += 1;
    response.on("close", () => (open -= 1));
    response.writeHead(200, { "content-type": "text/event-stream" });
    while (!response.destroyed) {
      response.write(`data: ${JSON.stringify(behaviours.chunk(request, { content: "z " }))}\n\n`);
      sent += 1;
      await sleep(10);
    }
  });
  const STREAMS = 300;
  const abandoned = Array.from({ length: STREAMS }, (_, index) => abandonStream({ key, url: stack.urls[index % 2], afterMs: Math.random() * 3000 }));
  const delivered = (await Promise.all(abandoned)).reduce((sum, pieces) => sum + pieces, 0);
  await until(() => open === 0, "every provider is disconnected", { timeoutMs: 30_000 });
  const isComplete = async () => {
    const { length } = await receipts(tenant);
    await sleep(4000); // the ledger writes receipts every two seconds
    return length > known && (await receipts(tenant)).length === length;
  };
  await until(isComplete, "the last receipt is written", { timeoutMs: 60_000 });
  const booked = (await receipts(tenant)).slice(known).filter(({ provenance }) => provenance !== "released");
  const charged = booked.reduce((sum, { tokens_out }) => sum + tokens_out, 0);
  context.diagnostic(`${sent} tokens sent, ${delivered} delivered, ${charged} charged, ${booked.length} receipts`);
  assert.ok(delivered > 0, "some streams have begun");
  assert.ok(charged >= delivered, `${charged} charged, ${delivered} delivered to the clients`);
  for (const { provenance, tokens_in } of booked) assert.ok(provenance === "estimated" && tokens_in > 0, provenance);
});

describe("fault 24: concurrent turns of one session, over two gateways", () => {
  test("are_stored_in_one_order_without_interleaving", async () => {
    const session = newSession();
    stack.upstream.always(behaviours.completionOrStream({ content: (request) => `re:${request.body.messages.at(-1).content}`, delayMs: 5 }));
    const sent = ["a", "b"];
    await Promise.all(sent.map((text, index) => completeStream(stack, { messages: [user(text)] }, { headers: { "x-session-id": session }, url: stack.urls[index] })));
    const rows = await stack.rows("SELECT seq, position, content FROM messages WHERE session_id = ? ORDER BY seq, position", session);
    const texts = rows.map(({ content }) => JSON.parse(content).content);
    assert.deepEqual(texts.filter((_, index) => index % 2 === 0).sort(), sent);
    for (let index = 0; index < texts.length; index += 2) assert.equal(texts[index + 1], `re:${texts[index]}`);
    const lengths = stack.upstream.requests.map(({ body }) => body.messages.length);
    assert.deepEqual(lengths, [1, 3], "the second includes the first");
  });

  test("a_hundred_over_ten_sessions_keep_order_and_content", async () => {
    const { tenant_id: tenant, secret_key: key } = stack.tenants[0];
    const sessions = Array.from({ length: 10 }, newSession);
    stack.upstream.always(behaviours.completionOrStream({ content: (request) => `re:${request.body.messages.at(-1).content}` }));
    const turns = sessions.flatMap((session) => Array.from({ length: 10 }, (_, turn) => ({ session, text: `${session}/${turn}` })));
    const responses = await Promise.all(turns.map(async ({ session, text }, index) => {
      const stream = index % 3 === 0;
      const response = await postChat(stack, chatBody({ stream, messages: [user(text)] }), { key, headers: { "x-session-id": session }, url: stack.urls[index % 2] });
      const body = await response.text();
      assert.equal(response.status, 200, body);
      assert.equal(stream ? readEvents(body).text : JSON.parse(body).choices[0].message.content, `re:${text}`);
    }));
    assert.equal(responses.length, 100);
    for (const session of sessions) {
      const rows = await stack.rows("SELECT seq, position, content FROM messages WHERE tenant_id = ? AND session_id = ? ORDER BY seq, position", tenant, session);
      const texts = rows.map(({ content }) => JSON.parse(content).content);
      assert.equal(texts.length, 20, "ten turns of two messages");
      for (let index = 0; index < texts.length; index += 2) {
        assert.ok(texts[index].startsWith(`${session}/`), "no message of another session");
        assert.equal(texts[index + 1], `re:${texts[index]}`, "each response follows its message");
      }
      assert.deepEqual(rows.map(({ seq }) => seq), Array.from({ length: 20 }, (_, index) => 1 + Math.floor(index / 2)));
      assert.equal(new Set(texts).size, 20, "no duplicates");
      // Each request contains all earlier turns in the stored order.
      const prompts = stack.upstream.requests.map(({ body }) => body.messages.map(({ content }) => content)).filter((messages) => messages[0].startsWith(`${session}/`));
      for (const messages of prompts) assert.deepEqual(messages, texts.slice(0, messages.length));
    }
  });
});

describe("resume", () => {
  const resume = (session, request, { key = stack.key, accept = "application/json", url = stack.url } = {}) =>
    fetch(`${url}/v1/sessions/${session}/turns/${request}`, { headers: { authorization: `Bearer ${key}`, accept } });

  test("waits_for_a_running_turn_on_the_other_gateway_and_returns_it_whole", async () => {
    const session = newSession();
    const { behaviour } = countingStream();
    stack.upstream.next(behaviour);
    const leaving = new AbortController();
    const response = await postChat(stack, chatBody({ stream: true }), { headers: { "x-session-id": session }, signal: leaving.signal });
    const request = response.headers.get("x-request-id");
    let id;
    for await (const event of eventsAsTheyArrive(response)) {
      id ??= JSON.parse(event.slice("data: ".length)).id;
      if (event.includes("p2;")) break;
    }
    leaving.abort();
    const [events, whole] = await Promise.all([
      resume(session, request, { accept: "text/event-stream", url: stack.urls[1] }).then((again) => again.text()),
      resume(session, request, { url: stack.urls[0] }).then((again) => again.json()),
    ]);
    const { text, done, chunks } = readEvents(events);
    assert.deepEqual([text, done, chunks[0].id], [pieces.join(""), true, id]);
    assert.deepEqual([whole.id, whole.status, whole.choices[0].message.content, whole.choices[0].finish_reason], [id, "complete", pieces.join(""), "stop"]);
    assert.deepEqual(chunks.at(-1).usage, whole.usage);
  });

  test("returns_a_turn_with_its_tool_calls_and_a_broken_one_as_broken", async () => {
    const session = newSession();
    const tool_calls = [{ id: "call_9", type: "function", function: { name: "look", arguments: "{}" } }];
    const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
    stack.upstream.next(behaviours.completion({ message: { content: null, tool_calls }, finish_reason: "tool_calls" }));
    const { body, response } = await complete(stack, { tools }, { headers: { "x-session-id": session } });
    const again = await (await resume(session, response.headers.get("x-request-id"))).json();
    assert.deepEqual(again, { ...body, status: "complete", incomplete_reason: null });

    stack.upstream.next(behaviours.resetMidBody({ pieces: ["par", "tial"] }));
    const broken = await completeStream(stack, { messages: [{ role: "tool", tool_call_id: "call_9", content: "A dog." }], tools }, { headers: { "x-session-id": session } });
    const request = broken.response.headers.get("x-request-id");
    const whole = await (await resume(session, request)).json();
    assert.deepEqual([whole.status, whole.incomplete_reason, whole.choices[0].message.content], ["incomplete", "upstream_error", "partial"]);
    const events = readEvents(await (await resume(session, request, { accept: "text/event-stream" })).text());
    assert.deepEqual([events.done, events.text, events.chunks.at(-1).error.code], [false, "partial", "upstream_error"]);
  });

  test("is_the_same_404_for_an_unknown_a_foreign_and_another_sessions_turn", async () => {
    const session = newSession();
    const { response } = await complete(stack, {}, { headers: { "x-session-id": session } });
    const request = response.headers.get("x-request-id");
    const bodies = await Promise.all([
      resume(session, "req_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
      resume(session, "nonsense"),
      resume("another", request),
      resume(session, request, { key: stack.tenants[1].secret_key }),
    ].map(async (pending) => {
      const response = await pending;
      assert.equal(response.headers.get("cache-control"), "no-store");
      return expectError(response, 404, { code: "resource_not_found" });
    }));
    for (const body of bodies) assert.deepEqual(body, bodies[0]);
  });
});
