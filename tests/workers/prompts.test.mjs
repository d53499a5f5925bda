// System prompts as templates: which are stored, and the exact text that the provider receives.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { chatBody, complete, completeStream, expectError } from "../harness/client.mjs";
import { startStack } from "../harness/stack.mjs";

const KNOWN = "The variables are `date`, `time_zone`, `tenant.name`, `session.title`, `session.metadata.KEY` and `user`";

let stack;
let tenant;
before(async () => {
  stack = await startStack();
  tenant = `/tenants/${stack.tenants[0].tenant_id}`;
});
after(() => stack.stop());
beforeEach(() => stack.upstream.reset());

/** Calls a session route with the tenant's key. */
function sessions(method, path, body) {
  return fetch(`${stack.url}/v1/sessions${path}`, { method, headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
}

async function setTenant(settings) {
  const { status, body } = await stack.admin("PATCH", tenant, settings);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** The system prompt that the provider received last. */
function received() {
  const [first] = stack.upstream.requests.at(-1).body.messages;
  assert.equal(first.role, "system");
  return first.content;
}

/** The date in a zone that is this many minutes ahead of UTC. */
const dateAt = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 10);

test("400_names_the_unknown_variable_and_the_known_ones_on_both_apis", async () => {
  const before = await stack.rowCounts();
  const { body: stored } = await stack.admin("GET", tenant);
  for (const [prompt, part] of [["Hi {{nmae}}", "`{{nmae}}` is not a variable"], ["{{session.metadata.}}", "`{{session.metadata.}}` is not a variable"], ["{{#if user}}", "`{{#if user}}` is not a variable"]]) {
    const message = `Invalid \`system_prompt\`: ${part}. ${KNOWN}; write \`\\{{\` for literal braces.`;
    for (const [method, path, body] of [["PATCH", tenant, { system_prompt: prompt }], ["PUT", tenant, { name: "x", system_prompt: prompt }], ["POST", "/tenants", { name: "x", system_prompt: prompt }]]) {
      const { status, body: answer } = await stack.admin(method, path, body);
      assert.deepEqual([status, answer.error.code, answer.error.param], [400, "invalid_value", "system_prompt"]);
      assert.equal(answer.error.message, message);
    }
    const error = await expectError(await sessions("POST", "", { system_prompt: prompt }), 400, { code: "invalid_value", param: "system_prompt" });
    assert.equal(error.message, message);
  }
  await expectError(await sessions("POST", "", { system_prompt: "a {{date" }), 400, { param: "system_prompt" });
  for (const zone of ["Europe/Berlin", "+5", "", "+15:00"]) {
    await expectError(await sessions("POST", "", { time_zone: zone }), 400, { code: "invalid_type", param: "time_zone" });
    const { status, body } = await stack.admin("PATCH", tenant, { time_zone: zone });
    assert.deepEqual([status, body.error.param], [400, "time_zone"]);
    assert.match(body.error.message, /`UTC` or an offset from it such as `\+05:30`/);
  }
  assert.deepEqual(await stack.rowCounts(), before);
  assert.deepEqual((await stack.admin("GET", tenant)).body, stored);
});

test("the_provider_receives_the_values_as_text_whole_and_streamed", async () => {
  const { name } = await setTenant({ system_prompt: "{{tenant.name}}|{{date}}|{{ time_zone }}|{{session.title}}|{{user}}|\\{{date}}|{{{user}}}", time_zone: "+14:00" });
  const settings = { id: "prompts", title: "{{date}} \\{{", metadata: { plan: "gold {{user}}", "a b": "c" }, system_prompt: "{{session.metadata.plan}}, {{session.metadata.a b}}, [{{session.metadata.none}}]", time_zone: "-11:30" };
  const created = await sessions("POST", "", settings);
  assert.equal(created.status, 200, await created.clone().text());
  assert.equal((await created.json()).time_zone, "-11:30");
  const ahead = dateAt(14 * 60);
  await complete(stack, { user: "ada" });
  assert.equal(received(), `${name}|${ahead}|UTC+14:00||ada|{{date}}|{ada}`);
  await completeStream(stack, { safety_identifier: "hash" });
  assert.equal(received(), `${name}|${ahead}|UTC+14:00||hash|{{date}}|{hash}`);
  const inSession = `${name}|${dateAt(-690)}|UTC-11:30|{{date}} \\{{||{{date}}|{}\n\ngold {{user}}, c, []`;
  for (const send of [complete, completeStream]) {
    await send(stack, { session_id: "prompts" });
    assert.equal(received(), inSession);
  }
  assert.equal((await sessions("PATCH", "/prompts", { title: null, time_zone: null, metadata: { plan: "free" } })).status, 200);
  await complete(stack, { session_id: "prompts", user: "ada" });
  assert.equal(received(), `${name}|${dateAt(14 * 60)}|UTC+14:00||ada|{{date}}|{ada}\n\nfree, , []`);
});

test("a_new_session_receives_the_same_prompt_in_each_turn", async () => {
  await setTenant({ system_prompt: "[{{session.title}}] {{user}}", time_zone: null });
  const prompts = [];
  for (let turn = 0; turn < 3; turn += 1) {
    await complete(stack, { session_id: "stable", user: "ada" });
    prompts.push(received());
  }
  assert.deepEqual(prompts, Array(3).fill("[] ada"), "a prefix that a provider can cache");
});

test("a_prompt_from_before_templates_works_and_does_not_prevent_other_changes", async () => {
  const prompt = "Fill in {{name}} with {{#each}} and {{user}} {{";
  await stack.updateSettings(stack.tenants[0].tenant_id, { system_prompt: prompt });
  const changed = await setTenant({ retention_days: 30 });
  assert.deepEqual([changed.system_prompt, changed.retention_days], [prompt, 30]);
  await complete(stack, { user: "ada" });
  assert.equal(received(), "Fill in {{name}} with {{#each}} and ada {{");
  assert.equal((await stack.admin("PATCH", tenant, { system_prompt: `${prompt}.` })).status, 400);
  await setTenant({ system_prompt: null });
});

test("a_prompt_that_its_values_make_too_long_is_400_before_the_provider_is_called", async () => {
  await setTenant({ system_prompt: "{{user}}".repeat(2000) });
  const body = chatBody({ user: "x".repeat(512) });
  const response = await fetch(`${stack.url}/v1/chat/completions`, { method: "POST", headers: { authorization: `Bearer ${stack.key}`, "content-type": "application/json" }, body: JSON.stringify(body) });
  const { message } = await expectError(response, 400, { code: "invalid_value" });
  assert.match(message, /more than 262144 bytes with the values of its variables/);
  assert.equal(stack.upstream.requests.length, 0);
  await setTenant({ system_prompt: null });
});
