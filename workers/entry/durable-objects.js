// docs/decisions/011-durable-object-base-class.md

/** Makes the Durable Objects among `classes` (those with an alarm) subclasses of `Base`. */
export function extendDurableObject(classes, Base) {
  for (const Class of classes) {
    if (Class?.prototype?.alarm) {
      Object.setPrototypeOf(Class, Base);
      Object.setPrototypeOf(Class.prototype, Base.prototype);
    }
  }
}
