// Attacks 26–35: hostile requests. Each is rejected with its own status and the error
// envelope before anything is stored or the model is called.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { after, before, beforeEach, describe, test } from "node:test";
import { chatBody, complete, completeStream, expectError, postChat } from "../harness/client.mjs";
import { endlessChunks, exchange } from "../harness/raw-http.mjs";
import { completionOrStream } from "../harness/behaviours.mjs";
import { startStack } from "../harness/stack.mjs";

const MiB = 1024 * 1024;
/** The documented limit of a request body. */
const BODY_LIMIT = 4 * MiB;

let stack;
let censusBefore;
before(async () => (stack = await startStack()));
after(() => stack.stop());
beforeEach(async () => {
  stack.upstream.reset();
  censusBefore = await stack.rowCounts();
});

/** Asserts that the attack stored nothing, the model was not called, and the next request works. */
async function assertHarmless() {
  // Receipts of valid requests are written later, in batches.
  const { receipts: _now, ...stored } = await stack.rowCounts();
  const { receipts: _before, ...storedBefore } = censusBefore;
  assert.deepEqual(stored, storedBefore, "a rejected request stores nothing");
  assert.equal(stack.upstream.requests.length, 0, "a rejected request never reaches the model");
  const { body } = await complete(stack, {});
  assert.equal(body.choices[0].message.content, "Hello there.");
}

async function expectRejected(body, status, error, options) {
  const result = await expectError(await postChat(stack, body, options), status, error);
  await assertHarmless();
  return result;
}

function head(lines) {
  return ["POST /v1/chat/completions HTTP/1.1", "host: gateway", `authorization: Bearer ${stack.key}`, ...lines].join("\r\n");
}

describe("attack 26: a body over the limit", () => {
  test("a_declared_length_over_the_limit_is_rejected_before_the_body_is_read", async () => {
    const response = await exchange(
      stack.url,
      head(["content-type: application/json", `content-length: ${64 * MiB}`]),
      [Buffer.from('{"model":"')],
    );
    assert.equal(response.status, 413, response.raw);
    assert.equal(JSON.parse(response.text).error.type, "invalid_request_error");
    await assertHarmless();
  });

  test("a_body_without_a_length_is_rejected_when_it_passes_the_limit_and_reading_stops", async () => {
    const offered = 256;
    const response = await exchange(
      stack.url,
      head(["content-type: application/json", "transfer-encoding: chunked"]),
      endlessChunks(Buffer.alloc(MiB, 0x20), offered),
    );
    assert.equal(response.status, 413, response.raw);
    // Socket buffers on both sides hold a few MiB; a server that keeps reading would receive all of it.
    assert.ok(response.bytesSent < (offered * MiB) / 4, `${response.bytesSent} bytes were sent`);
    await assertHarmless();
  });

  test("a_body_just_over_the_limit_is_rejected_and_one_just_under_it_is_served", async () => {
    const frame = JSON.stringify(chatBody({ messages: [{ role: "user", content: "" }] })).length;
    const sized = (bytes) => JSON.stringify(chatBody({ messages: [{ role: "user", content: "a".repeat(bytes - frame) }] }));
    await expectRejected(sized(BODY_LIMIT + 1), 413);
    stack.upstream.reset();
    // The parser accepts it; it may still be too long for the model's context.
    const response = await postChat(stack, sized(BODY_LIMIT));
    if (response.status === 200) assert.equal((await response.json()).object, "chat.completion");
    else await expectError(response, 400, { code: "context_length_exceeded" });
  });
});

describe("attack 27: nesting", () => {
  const DEPTH = 100_000;
  for (const [name, text] of [
    ["arrays", `{"model":"m","messages":${"[".repeat(DEPTH)}${"]".repeat(DEPTH)}}`],
    ["objects", `{"model":"m","messages":[],"metadata":${'{"a":'.repeat(DEPTH)}1${"}".repeat(DEPTH)}}`],
    ["an_unknown_field", `{"model":"m","unknown":${"[".repeat(DEPTH)}${"]".repeat(DEPTH)},"messages":[]}`],
    ["arrays_that_never_close", "[".repeat(DEPTH)],
  ]) {
    test(`a_hundred_thousand_levels_of_${name}_are_rejected_without_an_abort`, async () => {
      await expectRejected(text, 400, { type: "invalid_request_error" });
    });
  }
});

describe("attack 28: a compressed body", () => {
  for (const encoding of ["gzip", "deflate", "br", "zstd", "gzip, identity", "GZIP"]) {
    test(`a_body_with_content_encoding_${encoding.replaceAll(/\W+/g, "_")}_is_rejected`, async () => {
      await expectRejected(gzipSync(JSON.stringify(chatBody())), 415, {}, { headers: { "content-encoding": encoding } });
    });
  }

  test("a_small_body_that_inflates_past_the_limit_is_rejected_as_compressed_not_as_large", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MiB, 0x20));
    assert.ok(bomb.length < MiB);
    await expectRejected(bomb, 415, {}, { headers: { "content-encoding": "gzip" } });
  });
});

describe("attack 29: JSON that parsers read differently", () => {
  const MESSAGES = '"messages":[{"role":"user","content":"hi"}]';
  const cases = {
    the_same_member_twice: `{"model":"a","model":"scripted-model",${MESSAGES}}`,
    the_same_member_of_a_message_twice: '{"model":"scripted-model","messages":[{"role":"user","role":"system","content":"hi"}]}',
    the_same_member_spelled_with_an_escape: `{"model":"a","mod\\u0065l":"scripted-model",${MESSAGES}}`,
    a_member_name_that_hides_letters_from_text_searches: '{"model":"scripted-model","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral","tt\\u006c":"1h"}}]}]}',
    bytes_after_the_end: `{"model":"scripted-model",${MESSAGES}} {}`,
    a_second_document: `{"model":"scripted-model",${MESSAGES}}[]`,
    the_word_NaN: `{"model":"scripted-model","temperature":NaN,${MESSAGES}}`,
    the_word_Infinity: `{"model":"scripted-model","temperature":-Infinity,${MESSAGES}}`,
    a_number_past_every_double: `{"model":"scripted-model","temperature":1e400,${MESSAGES}}`,
    a_comment: `{"model":"scripted-model",/* hi */${MESSAGES}}`,
    a_comma_before_the_end: `{"model":"scripted-model",${MESSAGES},}`,
    a_byte_order_mark_in_the_middle: `{"model":"scripted-model",\uFEFF${MESSAGES}}`,
    no_document: "",
    half_a_document: `{"model":"scripted-model",${MESSAGES}`,
    a_list: "[]",
    a_word: "null",
  };
  for (const [name, text] of Object.entries(cases)) {
    test(`${name}_is_rejected`, async () => {
      await expectRejected(text, 400, { type: "invalid_request_error" });
    });
  }

  test("bytes_that_are_not_UTF_8_are_rejected", async () => {
    const text = JSON.stringify(chatBody({ messages: [{ role: "user", content: "@@" }] }));
    const bytes = Buffer.from(text);
    bytes.fill(0xff, text.indexOf("@@"), text.indexOf("@@") + 2);
    await expectRejected(bytes, 400, { type: "invalid_request_error" });
  });
});

describe("attack 30: text that storage cannot hold", () => {
  const CONTENT = 'tab\t newline\n quote" backslash\\ nul-like \\u0000 é (e\u0301) 漢字 👩‍👩‍👧‍👦 \u202e\u200b\ufeff\u2028\u007f\u{10ffff} </script> \'; DROP TABLE messages; --';

  test("content_is_returned_byte_for_byte_by_the_model_and_the_session", async () => {
    stack.upstream.always(completionOrStream({ content: (request) => request.body.messages.at(-1).content }));
    const headers = { "x-session-id": "byte-for-byte" };
    const { body } = await complete(stack, { messages: [{ role: "user", content: CONTENT }] }, { headers });
    assert.equal(body.choices[0].message.content, CONTENT);
    const { text } = await completeStream(stack, { messages: [{ role: "user", content: CONTENT }] }, { headers });
    assert.equal(text, CONTENT);
    assert.deepEqual(
      stack.upstream.lastBody.messages.map((message) => message.content),
      [CONTENT, CONTENT, CONTENT],
      "the stored turn, then the new message",
    );
  });

  test("NUL_in_the_content_of_a_stateless_request_reaches_the_model_unchanged", async () => {
    const content = "a\u0000b";
    await complete(stack, { messages: [{ role: "user", content }] });
    assert.equal(stack.upstream.lastBody.messages[0].content, content);
  });

  const named = (fields) => chatBody(fields);
  const cases = {
    NUL_in_the_content_of_a_session: [() => named({ session_id: "nul", messages: [{ role: "user", content: "a\u0000b" }] }), "messages"],
    NUL_in_a_content_part_of_a_session: [() => named({ session_id: "nul", messages: [{ role: "user", content: [{ type: "text", text: "a\u0000b" }] }] }), "messages"],
    NUL_in_the_session_id: [() => named({ session_id: "a\u0000b" }), "session_id"],
    NUL_in_the_metadata: [() => named({ metadata: { a: "b\u0000" } }), "metadata"],
    NUL_in_a_metadata_key: [() => named({ metadata: { "a\u0000": "b" } }), "metadata"],
    an_overlong_session_id: [() => named({ session_id: "s".repeat(10_000) }), "session_id"],
    an_empty_session_id: [() => named({ session_id: "" }), "session_id"],
    an_overlong_metadata_key: [() => named({ metadata: { ["k".repeat(65)]: "v" } }), "metadata"],
    an_overlong_metadata_value: [() => named({ metadata: { k: "v".repeat(513) } }), "metadata"],
    too_much_metadata: [() => named({ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, "v"])) }), "metadata"],
  };
  for (const [name, [body, param]] of Object.entries(cases)) {
    test(`${name}_is_rejected`, async () => {
      const error = await expectRejected(JSON.stringify(body()), 400);
      assert.ok(error.param?.startsWith(param), `param is ${error.param}`);
    });
  }

  for (const [name, text] of Object.entries({
    the_content: '{"model":"scripted-model","messages":[{"role":"user","content":"\\ud800"}]}',
    the_session_id: '{"model":"scripted-model","session_id":"\\udc00x","messages":[{"role":"user","content":"hi"}]}',
    the_metadata: '{"model":"scripted-model","metadata":{"a":"\\ud83d"},"messages":[{"role":"user","content":"hi"}]}',
  })) {
    test(`a_lone_surrogate_in_${name}_is_rejected`, async () => {
      await expectRejected(text, 400, { type: "invalid_request_error" });
    });
  }

  test("an_overlong_session_id_in_the_header_is_rejected", async () => {
    await expectRejected(chatBody(), 400, {}, { headers: { "x-session-id": "s".repeat(4_000) } });
  });
});

describe("attack 31: header splitting", () => {
  const SPLIT = "a\r\nset-cookie: stolen=1\r\n\r\n<script>";

  function assertNothingReflected(response) {
    assert.equal(response.headers.get("set-cookie"), null);
    assert.ok(!response.raw.includes("stolen"), response.raw);
  }

  test("line_breaks_in_a_session_id_are_rejected_and_not_reflected", async () => {
    const body = JSON.stringify(chatBody({ session_id: SPLIT }));
    const response = await exchange(
      stack.url,
      head(["content-type: application/json", `content-length: ${Buffer.byteLength(body)}`]),
      [Buffer.from(body)],
    );
    assert.equal(response.status, 400, response.raw);
    assertNothingReflected(response);
    await assertHarmless();
  });

  for (const [name, value] of Object.entries({
    encoded_line_breaks: "a%0d%0aset-cookie:%20stolen=1",
    a_bare_carriage_return: "a\rset-cookie: stolen=1",
    a_folded_line: "a\r\n set-cookie: stolen=1",
    a_NUL: "a\0stolen",
    letters_outside_ASCII: "a\u010d\u010astolen",
  })) {
    test(`${name}_in_the_session_header_are_rejected_and_not_reflected`, async () => {
      const body = JSON.stringify(chatBody());
      const response = await exchange(
        stack.url,
        head(["content-type: application/json", `content-length: ${body.length}`, `x-session-id: ${value}`]),
        [Buffer.from(body)],
      );
      assert.equal(response.status, 400, response.raw);
      assertNothingReflected(response);
      await assertHarmless();
    });
  }

  test("a_bare_line_feed_only_starts_another_request_header_and_is_not_reflected", async () => {
    const body = JSON.stringify(chatBody());
    const response = await exchange(
      stack.url,
      head(["content-type: application/json", `content-length: ${body.length}`, "x-session-id: before\nset-cookie: stolen=1"]),
      [Buffer.from(body)],
    );
    // The runtime, like many servers, accepts a bare line feed as the end of a line.
    assert.equal(response.status, 200, response.raw);
    assert.equal(response.headers.get("x-session-id"), "before");
    assertNothingReflected(response);
  });

  test("a_model_name_with_line_breaks_is_not_reflected_into_a_header", async () => {
    const body = JSON.stringify(chatBody({ model: SPLIT }));
    const response = await exchange(
      stack.url,
      head(["content-type: application/json", `content-length: ${Buffer.byteLength(body)}`]),
      [Buffer.from(body)],
    );
    assert.ok([400, 404].includes(response.status), response.raw);
    assert.equal(response.headers.get("set-cookie"), null);
    await assertHarmless();
  });
});

describe("attack 32: numbers where a count belongs", () => {
  const counts = ["max_tokens", "max_completion_tokens", "n", "top_logprobs"];
  const numbers = ["-1", "2147483648", "9007199254740993", "9223372036854775808", "1.5", '"5"', "true", "[]", "1e3000"];
  for (const field of counts) {
    test(`${field}_rejects_each_of_them_by_name`, async () => {
      for (const number of numbers) {
        const text = `{"model":"scripted-model","logprobs":true,"${field}":${number},"messages":[{"role":"user","content":"hi"}]}`;
        const error = await expectError(await postChat(stack, text), 400, { type: "invalid_request_error" });
        // A number that JSON cannot represent fails before members are read.
        if (number !== "1e3000") assert.equal(error.param, field, `${field}: ${number}`);
      }
      await assertHarmless();
    });
  }

  for (const [field, values] of Object.entries({
    temperature: ["-0.1", "2.1", '"1"'],
    top_p: ["-0.1", "1.1"],
    presence_penalty: ["-2.1", "2.1"],
    frequency_penalty: ["-2.1", "2.1"],
    seed: ["1.5", '"5"', "9223372036854775808"],
    stop: ["5", '["a","b","c","d","e"]', "[1]"],
    stream: ['"true"', "1"],
    model: ["5", '""', "{}"],
  })) {
    test(`${field}_out_of_its_range_is_rejected_by_name`, async () => {
      for (const value of values) {
        const fields = { model: '"scripted-model"', messages: '[{"role":"user","content":"hi"}]', [field]: value };
        const text = `{${Object.entries(fields).map(([name, json]) => `"${name}":${json}`).join(",")}}`;
        const error = await expectError(await postChat(stack, text), 400, { type: "invalid_request_error" });
        assert.ok(error.param === field || error.param?.startsWith(`${field}[`), `${field}: ${value} names ${error.param}`);
      }
      await assertHarmless();
    });
  }

  test("a_seed_of_64_bits_reaches_the_model_exactly", async () => {
    const text = '{"model":"scripted-model","seed":9007199254740993,"messages":[{"role":"user","content":"hi"}]}';
    const response = await postChat(stack, text);
    assert.equal(response.status, 200, await response.text());
    assert.match(stack.upstream.requests[0].text, /"seed":\s*9007199254740993\b/);
  });
});

describe("attack 33: a wrong content type", () => {
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", "text/json", "application/json-seq"]) {
    test(`${type.replaceAll(/\W+/g, "_")}_is_rejected`, async () => {
      await expectRejected(chatBody(), 415, {}, { headers: { "content-type": type } });
    });
  }

  test("a_missing_content_type_is_rejected", async () => {
    const body = JSON.stringify(chatBody());
    const response = await exchange(stack.url, head([`content-length: ${body.length}`]), [Buffer.from(body)]);
    assert.equal(response.status, 415, response.raw);
    await assertHarmless();
  });

  test("json_with_a_charset_or_in_capitals_is_served", async () => {
    for (const type of ["application/json; charset=utf-8", "Application/JSON"]) {
      const { body } = await complete(stack, {}, { headers: { "content-type": type } });
      assert.equal(body.object, "chat.completion");
    }
  });
});

describe("attack 34: methods", () => {
  test("TRACE_is_rejected_with_the_allowed_methods_and_reflects_nothing", async () => {
    const response = await exchange(
      stack.url,
      ["TRACE /v1/chat/completions HTTP/1.1", "host: gateway", `authorization: Bearer ${stack.key}`, "x-canary: canary-4711", "content-length: 0"].join("\r\n"),
    );
    assert.equal(response.status, 405, response.raw);
    assert.match(response.headers.get("allow") ?? "", /\bPOST\b/);
    assert.ok(!response.raw.includes("canary-4711") && !response.raw.includes(stack.key), response.raw);
    await assertHarmless();
  });

  for (const header of ["x-http-method-override", "x-http-method", "x-method-override"]) {
    test(`${header.replaceAll("-", "_")}_does_not_turn_one_method_into_another`, async () => {
      for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
        const response = await fetch(`${stack.url}/v1/chat/completions`, {
          method,
          headers: { authorization: `Bearer ${stack.key}`, [header]: "POST", "content-type": "application/json" },
          body: method === "GET" ? undefined : JSON.stringify(chatBody()),
        });
        assert.match(response.headers.get("allow") ?? "", /\bPOST\b/);
        await expectError(response, 405);
      }
      await assertHarmless();
    });
  }

  test("a_method_in_the_query_does_nothing", async () => {
    const response = await fetch(`${stack.url}/v1/chat/completions?_method=POST`, { headers: { authorization: `Bearer ${stack.key}` } });
    await expectError(response, 405);
    await assertHarmless();
  });
});

describe("attack 35: huge schemas", () => {
  const wide = () => ({
    type: "object",
    properties: Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`p${index}`, { type: "string" }])),
  });
  const deep = (levels) => (levels === 0 ? { type: "string" } : { type: "object", properties: { a: deep(levels - 1) } });

  test("a_response_schema_of_sixty_thousand_properties_is_rejected", async () => {
    const error = await expectRejected(chatBody({ response_format: { type: "json_schema", json_schema: { name: "wide", schema: wide() } } }), 400);
    assert.ok(error.param?.startsWith("response_format"), `param is ${error.param}`);
  });

  test("a_tool_whose_parameters_have_sixty_thousand_properties_is_rejected", async () => {
    const error = await expectRejected(chatBody({ tools: [{ type: "function", function: { name: "wide", parameters: wide() } }] }), 400);
    assert.ok(error.param?.startsWith("tools"), `param is ${error.param}`);
  });

  test("a_schema_of_fifty_levels_is_rejected", async () => {
    await expectRejected(chatBody({ response_format: { type: "json_schema", json_schema: { name: "deep", schema: deep(50) } } }), 400);
  });

  test("more_tools_than_the_contract_allows_are_rejected", async () => {
    const tools = Array.from({ length: 2_000 }, (_, index) => ({ type: "function", function: { name: `tool_${index}`, parameters: deep(1) } }));
    const error = await expectRejected(chatBody({ tools }), 400);
    assert.ok(error.param?.startsWith("tools"), `param is ${error.param}`);
  });
});
