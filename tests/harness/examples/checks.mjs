// What the cases of the examples share: resources to prepare, and checks of responses.
import assert from "node:assert/strict";
import { readEvents } from "../client.mjs";

/** Checks a value and returns it. */
export const same = (value, expected) => {
  assert.deepEqual(value, expected);
  return value;
};

export const session = (world) => world.session();

export const sharedTenant = (world) => world.sharedTenant();

export const newTenant = (world) => world.tenant();

/** A tenant of its own with a public key and its widget. */
export const newSite = (world) => world.site();

/** The values of these members of every item of a page. */
export const listed = (...names) => ({ data }) => {
  assert.ok(data.length > 0, "the list is not empty");
  return data.flatMap((item) => names.map((name) => item[name]));
};

/** The role and the text of every message of a page. */
export const conversation = ({ data }) => {
  assert.deepEqual(data.map(({ role }) => role).sort(), ["assistant", "user"]);
  return data.flatMap(({ role, message: { content } }) => [role, content]);
};

export const answer = ({ choices: [{ message: { content } }] }) => content;

/** The text of a stream and the tokens of its last chunk; curl prints the events. */
export const streamed = (output, { extension }) => {
  if (extension !== "sh") return assert.equal(output, "Hello there.\n18 tokens\n");
  const { text, chunks, done } = readEvents(output);
  assert.deepEqual([text, chunks.at(-1)?.usage?.total_tokens, done], ["Hello there.", 18, true]);
};

/** The answer of each call; the second one knows the first. */
export const twoTurns = (_last, { bodies }) => {
  assert.deepEqual(bodies.map(answer), ["Hello there.", "Your name is Ada."]);
  return bodies.map(answer);
};
