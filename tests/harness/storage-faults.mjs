// Plans database and cache faults in a gateway built with the feature `test-faults`.

/** D1's error for a lost connection. */
export const LOST = "D1_ERROR: Network connection lost.";
/** D1's error when it is overloaded. */
export const OVERLOADED = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";

/**
 * Replaces the faultState faults of the gateway at `url`. Each fault has `call` (`query`, `batch`,
 * `get`, `put`, `delete`), `about` (a part of the statement or key), `when` (`before`, `after`,
 * `absent`, `never`), `error`, and the number of `times`.
 */
export async function plan(url, faults) {
  const response = await fetch(`${url}/__test/faults`, { method: "POST", body: JSON.stringify(faults) });
  if (response.status !== 200) throw new Error(`the faults were not planned: ${response.status} ${await response.text()}`);
  return response.json();
}

/** The remaining faults, and the number of calls of each kind since they were faultState: `{ mark, faults, calls }`. */
export async function faultState(url) {
  const response = await fetch(`${url}/__test/faults`, { method: "POST" });
  return response.json();
}
