import assert from "node:assert/strict";
import { test } from "node:test";
import { durableObject } from "../../workers/entry/durable-objects.js";
import { Instance } from "../../workers/entry/instance.js";

class Base {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

/** A class as worker-build exports it: constructing it through the proxy starts a new instance after an abort. */
function built() {
  const state = { criticalError: false, instanceId: 0 };
  const made = [];
  class Ledger {
    constructor(ctx, env) {
      this.number = state.instanceId;
      made.push([ctx, env]);
    }
    async ask(input) {
      if (input === "abort") throw new WebAssembly.RuntimeError("unreachable");
      if (input === "fail") throw new Error("its own");
      return `${input} at ${this.number}`;
    }
    async alarm() {
      return `rang at ${this.number}`;
    }
    async fetch(request) {
      return `${request} fetched`;
    }
  }
  const Proxied = new Proxy(Ledger, {
    construct(Class, values) {
      if (state.criticalError) {
        state.criticalError = false;
        state.instanceId += 1;
      }
      return Reflect.construct(Class, values);
    },
  });
  return { Class: durableObject(Proxied, Base, new Instance(() => state)), made };
}

test("an_object_of_the_base_class_answers_with_the_methods_of_the_built_one", async () => {
  const { Class, made } = built();
  const object = new Class("context", "environment");
  assert.ok(object instanceof Base);
  assert.deepEqual([await object.ask("a"), await object.alarm(), await object.fetch("b")], ["a at 0", "rang at 0", "b fetched"]);
  assert.deepEqual(made, [["context", "environment"]]);
});

test("an_object_is_made_again_after_an_abort_and_not_after_other_errors", async () => {
  const { Class } = built();
  const [first, second] = [new Class(), new Class()];
  assert.equal(await second.ask("a"), "a at 0");
  await assert.rejects(first.ask("fail"), /its own/);
  assert.equal(await first.ask("a"), "a at 0");
  await assert.rejects(first.ask("abort"), WebAssembly.RuntimeError);
  assert.equal(await first.ask("a"), "a at 1");
  assert.equal(await second.ask("a"), "a at 1");
});
