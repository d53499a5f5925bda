// What each example of docs/api/examples needs and must print.
//
// A case is `{ prepare, shows, status, prints }`:
// - `prepare(world)` returns the example's environment variables.
// - `shows(last, context)` checks the effect and returns the values that the example prints, in their
//   order. `last` is the last response as JSON; `context` has all `calls`, their `bodies`, the
//   `variables` and the `world`.
// - `curl` is the same for a curl example that does not print the bodies of its responses.
// - `status` is the status of the responses, any successful one by default.
// - `prints(output, context)` replaces the comparison of the output with `shows`.
import assert from "node:assert/strict";
import { ADMIN } from "./admin.mjs";
import { CHAT } from "./chat.mjs";
import { RESPONSES } from "./responses.mjs";
import { SESSIONS } from "./sessions.mjs";

/** All cases, by the name of the example. */
export const CASES = { ...CHAT, ...RESPONSES, ...SESSIONS, ...ADMIN };

/** The case of an example. */
export const caseOf = ({ case: name }) => ({ prepare: async () => ({}), ...(CASES[name] ?? assert.fail(`${name} has no case in tests/harness/examples`)) });
