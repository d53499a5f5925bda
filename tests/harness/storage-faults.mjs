// The faults of a test-only gateway (its feature `test-faults`): its database and its cache fail as planned.

/** What D1 says of a connection that broke. */
export const LOST = "D1_ERROR: Network connection lost.";
/** What D1 says when it has too much to do. */
export const OVERLOADED = "D1_ERROR: D1 DB is overloaded. Requests queued for too long.";

/**
 * Plans what goes wrong in the gateway behind `url` from now on, and forgets what was planned
 * before. Each fault: `call` (`query`, `batch`, `get`, `put`, `delete`), `about` (a part of the
 * statement or of the key), `when` (`before`, `after`, `absent`, `never`), `error`, and how many `times`.
 */
export async function plan(url, faults) {
  const response = await fetch(`${url}/__test/faults`, { method: "POST", body: JSON.stringify(faults) });
  if (response.status !== 200) throw new Error(`no plan: ${response.status} ${await response.text()}`);
  return response.json();
}

/** What is still planned there, and how often each kind of call was made since: `{ mark, faults, calls }`. */
export async function planned(url) {
  const response = await fetch(`${url}/__test/faults`, { method: "POST" });
  return response.json();
}
