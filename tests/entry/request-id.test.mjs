import assert from "node:assert/strict";
import { test } from "node:test";
import { newRequestId } from "../../workers/entry/request-id.js";

test("an_id_is_a_ULID_that_begins_with_its_time", () => {
  // The example of the ULID specification.
  assert.match(newRequestId(1_469_918_176_385), /^req_01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/);
  assert.match(newRequestId(), /^req_[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
});

test("ids_of_one_moment_differ_and_ids_of_later_ones_are_greater", () => {
  const ids = Array.from({ length: 1000 }, () => newRequestId(1_767_225_600_000));
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(newRequestId(1_767_225_600_001) > ids[0]);
});
