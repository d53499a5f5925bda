// Parses arguments as wrangler does. Loaded by each call of the stand-in, so it imports nothing.

/** Splits arguments into the command, its options and its positional arguments; throws as wrangler does. */
export function parseArguments(accepted, argv) {
  const words = [];
  while (words.length < argv.length && !argv[words.length].startsWith("-")) words.push(argv[words.length]);
  const command = Object.keys(accepted).find((name) => words.join(" ") === name || words.join(" ").startsWith(`${name} `));
  if (!command) throw new Error(`Unknown command: wrangler ${argv.join(" ")}`);
  const { options, required, maximum } = accepted[command];
  const found = { command, options: {}, positional: [] };
  const rest = argv.slice(command.split(" ").length);
  while (rest.length > 0) {
    const argument = rest.shift();
    if (!argument.startsWith("-")) {
      found.positional.push(argument);
      continue;
    }
    const [name, inline] = argument.split(/=(.*)/s);
    const type = options[name];
    if (!type) throw new Error(`Unknown argument: ${name}`);
    const value = type === "boolean" ? (inline ?? "true") : (inline ?? rest.shift());
    if (value === undefined || (inline === undefined && type !== "boolean" && value.startsWith("-"))) throw new Error(`Not enough arguments following: ${name}`);
    found.options[name] = value;
  }
  if (found.positional.length < required) throw new Error(`Not enough non-option arguments: got ${found.positional.length}, need at least ${required}`);
  if (found.positional.length > (maximum ?? Infinity)) throw new Error(`Unknown arguments: ${found.positional.slice(maximum).join(", ")}`);
  return found;
}
