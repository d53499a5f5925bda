// The cases of the examples of chat, models, usage and health.
import assert from "node:assert/strict";
import { MODEL } from "../client.mjs";
import { answer, listed, same, streamed, twoTurns } from "./checks.mjs";

/** The text of a message's stream and the tokens of its end; curl prints the events. */
const streamedMessage = (output, { extension }) => {
  if (extension !== "sh") return assert.equal(output, "Hello there.\n7 tokens\n");
  assert.match(output, /^event: message_start\n/);
  assert.match(output, /\nevent: message_stop\n/);
};

export const CHAT = {
  createChatCompletion: { shows: (last) => [same(answer(last), "Hello there.")] },
  "createChatCompletion.stream": { prints: streamed },
  "createChatCompletion.session": { prepare: async () => ({ SESSION_ID: `ada-${Math.random()}` }), shows: twoTurns },
  "createChatCompletion.tools": {
    shows: (last, { calls }) => {
      assert.equal(calls.length, 2);
      assert.equal(answer(last), "The tool says: 21 degrees and sunny in Bern");
      return [answer(last)];
    },
  },
  "createChatCompletion.serverTools": {
    shows: (last, { calls }) => {
      assert.equal(calls.length, 1);
      assert.match(answer(last), /^The tool says: .*\d{4}-\d\d-\d\dT/);
      return [answer(last), "time_now", "succeeded"];
    },
  },
  "createChatCompletion.structured": {
    shows: (last) => {
      const { name, population } = JSON.parse(answer(last));
      return [name, population];
    },
  },
  "createChatCompletion.image": { prepare: (world) => world.image(), shows: (last, { variables }) => [same(answer(last), `I see ${variables.ending}`)] },
  "createChatCompletion.errors": {
    status: 404,
    shows: ({ error: { code, param } }, { calls: [{ headers }] }) => {
      assert.deepEqual([code, param], ["model_not_found", "model"]);
      return [404, code, param, headers["x-request-id"]];
    },
    curl: ({ error: { code } }, { calls: [{ headers }] }) => ["404", headers["x-request-id"], code],
  },
  "createChatCompletion.idempotent": {
    prepare: async () => ({ IDEMPOTENCY_KEY: `order-${Math.random()}` }),
    shows: (_last, { bodies: [first, second], calls }) => {
      assert.equal(second.id, first.id);
      assert.equal(calls[1].headers["idempotent-replayed"], "true");
      return [first.id, null, second.id, "true"];
    },
  },
  "createChatCompletion.headers": {
    shows: (_last, { calls: [{ headers }] }) => {
      const shown = ["x-clawless-model", "x-clawless-route", "x-ratelimit-remaining-requests", "x-request-id"].map((name) => headers[name]);
      assert.equal(shown[0], MODEL);
      return shown;
    },
    curl: (_last, { calls: [{ headers }] }) => [headers["x-request-id"]],
  },
  createMessage: { shows: ({ content: [{ text }] }) => [same(text, "Hello there.")] },
  "createMessage.stream": { prints: streamedMessage },
  countMessageTokens: { shows: ({ input_tokens: tokens }) => [tokens] },
  listModels: { shows: listed("id", "owned_by") },
  getModel: { prepare: async () => ({ MODEL }), shows: ({ id, owned_by }) => [same(id, MODEL), owned_by] },
  getUsage: { prepare: (world) => world.usage(), shows: listed("day", "model", "tokens", "micro_dollars") },
  "getUsage.csv": { prepare: (world) => world.usage(), prints: (output) => assert.match(output, /^day,model,key_id,.*\r\n\d{4}-\d\d-\d\d,"scripted-model",key_/) },
  getHealth: { shows: ({ status }) => [same(status, "ok")] },
};
