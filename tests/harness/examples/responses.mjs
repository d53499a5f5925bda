// The cases of the examples of responses and conversations.
import assert from "node:assert/strict";
import { same } from "./checks.mjs";

const response = (world) => world.response();
const conversation = (world) => world.conversation();
const textOf = ({ output }) => output[0].content[0].text;
const texts = ({ data }) => data.flatMap(({ role, content }) => [role, content[0].text]);

export const RESPONSES = {
  createResponse: {
    shows: async ({ id, output }, { world }) => {
      assert.equal((await world.call("GET", `/v1/responses/${id}`)).instructions, "Be brief.");
      return [id, textOf({ output })];
    },
  },
  countInputTokens: { shows: ({ input_tokens: tokens }) => [tokens] },
  getResponse: { prepare: response, shows: (last, { variables }) => [same(last.id, variables.RESPONSE_ID), "completed", textOf(last)] },
  deleteResponse: {
    prepare: response,
    shows: async (_last, { world, variables }) => {
      await world.call("GET", `/v1/responses/${variables.RESPONSE_ID}`, { status: 404 });
      return ["deleted", variables.RESPONSE_ID];
    },
  },
  cancelResponse: { prepare: response, status: 400, shows: ({ error }) => [same(error.code, "invalid_value")] },
  listInputItems: { prepare: response, shows: (last) => texts(last) },
  createConversation: {
    shows: async ({ id }, { world }) => {
      assert.deepEqual((await world.call("GET", `/v1/conversations/${id}`)).metadata, { user: "42" });
      return [id];
    },
  },
  getConversation: { prepare: conversation, shows: ({ id, created_at: created }, { variables }) => [same(id, variables.CONVERSATION_ID), created] },
  updateConversation: {
    prepare: conversation,
    shows: async (_last, { world, variables }) => {
      const { metadata } = await world.call("GET", `/v1/conversations/${variables.CONVERSATION_ID}`);
      return [same(metadata.topic, "rome")];
    },
  },
  deleteConversation: {
    prepare: conversation,
    shows: async ({ id }, { world, variables }) => {
      await world.call("GET", `/v1/conversations/${variables.CONVERSATION_ID}`, { status: 404 });
      return [id, true];
    },
  },
  listConversationItems: { prepare: conversation, shows: (last) => [...texts(last), same(last.data.length, 2)].slice(0, 4) },
};
