// A stack is killed and restarted with the storage that it left on disk.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import * as behaviours from "../harness/behaviours.mjs";
import { chatBody, complete, completeStream, eventsAsTheyArrive, postChat } from "../harness/client.mjs";
import { startStackProcess } from "../harness/serve.mjs";
import { startUpstream } from "../harness/upstream.mjs";

let persist;
let upstream;
before(async () => {
  persist = mkdtempSync(path.join(tmpdir(), "clawless-restart-"));
  upstream = await startUpstream();
});
after(async () => {
  await upstream.close();
  rmSync(persist, { recursive: true, force: true });
});

const user = (content) => ({ role: "user", content });

test("a_killed_and_restarted_stack_still_has_every_finished_turn", async () => {
  const first = await startStackProcess({ persist, upstream, tenants: 1 });
  const key = first.tenants[0].secret_key;
  const options = { key, headers: { "x-session-id": "outlives-the-stack" } };
  try {
    await complete(first, { messages: [user("one")] }, options);
    await completeStream(first, { messages: [user("two")] }, options);
    // The third turn is running when the stack is killed.
    upstream.next(behaviours.events((request) => behaviours.openingEvents(request, ["never", "ending"]), { ending: (response) => behaviours.silence()(undefined, response) }));
    const response = await postChat(first, chatBody({ stream: true, messages: [user("three")] }), options);
    for await (const event of eventsAsTheyArrive(response)) {
      if (event.includes("ending")) break;
    }
  } finally {
    await first.kill();
  }

  // The interrupted turn holds the session's lane until its reservation expires, 60 s after its grant.
  const second = await startStackProcess({ persist, upstream, tenants: 0, clockAheadMs: 61_000 });
  try {
    await complete(second, { messages: [user("four")] }, options);
    assert.deepEqual(
      upstream.lastBody.messages.map(({ content }) => content),
      ["one", "Hello there.", "two", "Hello there.", "four"],
      "what ended is there, what did not end left nothing half",
    );
    const { text, done } = await completeStream(second, { messages: [user("five")] }, options);
    assert.equal(text, "Hello there.");
    assert.ok(done);
    assert.equal(upstream.lastBody.messages.length, 7);
  } finally {
    await second.kill();
  }
});
