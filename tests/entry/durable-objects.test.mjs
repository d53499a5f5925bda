import assert from "node:assert/strict";
import { test } from "node:test";
import { extendDurableObject } from "../../workers/entry/durable-objects.js";

class Base {
  fromBase() {
    return this.name;
  }
}

test("a_class_with_an_alarm_becomes_a_subclass_and_keeps_its_methods", () => {
  class Ledger {
    name = "ledger";
    alarm() {
      return "rang";
    }
  }
  extendDurableObject([Ledger], Base);
  const ledger = new Ledger();
  assert.ok(ledger instanceof Base);
  assert.deepEqual([ledger.alarm(), ledger.fromBase()], ["rang", "ledger"]);
});

test("other_exports_stay_as_they_are", () => {
  class Plain {}
  const before = Object.getPrototypeOf(Plain);
  extendDurableObject([Plain, () => {}, { alarm: 1 }, null, undefined, 7], Base);
  assert.equal(Object.getPrototypeOf(Plain), before);
  assert.ok(!(new Plain() instanceof Base));
});
