// The cases of the examples of sessions.
import assert from "node:assert/strict";
import { answer, conversation, listed, same, session, streamed } from "./checks.mjs";

export const SESSIONS = {
  listSessions: { prepare: session, shows: listed("id", "title") },
  "listSessions.pages": {
    prepare: (world) => world.manySessions(),
    shows: (_last, { bodies, extension }) => {
      // The first page only with curl.
      const data = bodies.flatMap((page) => page.data);
      assert.equal(data.filter(({ id }) => id.startsWith("rome-")).length >= 101, extension !== "sh");
      return data.flatMap(({ id, title }) => [id, title]);
    },
  },
  "createSession.prompt": {
    shows: async ({ id }, { world }) => {
      const { time_zone: zone, system_prompt: prompt } = await world.call("GET", `/v1/sessions/${id}`);
      assert.equal(zone, "+01:00");
      assert.match(prompt, /^Today is \{\{date\}\}\./);
      return [id];
    },
  },
  createSession: {
    shows: async ({ id }, { world }) => {
      const { title, metadata } = await world.call("GET", `/v1/sessions/${id}`);
      assert.deepEqual([title, metadata], ["Trip to Rome", { user: "42" }]);
      return [id];
    },
  },
  getSession: { prepare: session, shows: ({ id, title }, { variables }) => [same(id, variables.SESSION_ID), title] },
  updateSession: {
    prepare: session,
    shows: async (_last, { world, variables }) => {
      const { title } = await world.call("GET", `/v1/sessions/${variables.SESSION_ID}`);
      return [same(title, "About Ada")];
    },
  },
  deleteSession: {
    prepare: session,
    shows: async ({ id }, { world, variables }) => {
      await world.call("GET", `/v1/sessions/${variables.SESSION_ID}`, { status: 404 });
      return [id, true];
    },
  },
  resetSession: {
    prepare: session,
    shows: async ({ id }, { world, variables }) => {
      assert.deepEqual((await world.call("GET", `/v1/sessions/${variables.SESSION_ID}/messages`)).data, []);
      return [id, 0];
    },
  },
  exportSession: { prepare: session, shows: ({ session: { id }, messages }) => [id, same(messages.length, 2)] },
  listMessages: { prepare: session, shows: conversation },
  deleteMessage: {
    prepare: (world) => world.message(),
    shows: async ({ id }, { world, variables }) => {
      const { data } = await world.call("GET", `/v1/sessions/${variables.SESSION_ID}/messages`);
      assert.deepEqual(data.map(({ role }) => role), ["assistant"]);
      return [id, true];
    },
  },
  listToolExecutions: { prepare: (world) => world.session({ content: "What time is it?" }), shows: listed("tool", "status", "result") },
  getTurn: { prepare: session, shows: (last) => ["complete", answer(last)] },
  "getTurn.stream": {
    prepare: session,
    prints: streamed,
  },
};
