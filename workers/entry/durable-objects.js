// docs/decisions/011-durable-object-base-class.md

/** The class of a Durable Object: `Built`, a class of worker-build, as a subclass of `Base`. */
export function durableObject(Built, Base, instance) {
  // worker-build exports a proxy of the class, but the prototype is the class's own.
  const Class = Built.prototype.constructor;
  return class extends Base {
    #object;
    #number;

    /** Processes one input of the ledger. */
    ask(input) {
      return this.#call("ask", input);
    }

    fetch(request) {
      return this.#call("fetch", request);
    }

    alarm() {
      return this.#call("alarm");
    }

    async #call(name, ...values) {
      const number = instance.number(() => new Built(this.ctx, this.env));
      if (number !== this.#number) {
        // The object of an aborted instance is gone with its memory.
        this.#object = new Class(this.ctx, this.env);
        this.#number = number;
      }
      try {
        return await this.#object[name](...values);
      } catch (error) {
        instance.note(error);
        throw error;
      }
    }
  };
}
