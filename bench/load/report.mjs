// The report of a load, as an object and as text, and the line that shows its progress.
import { counts, summary } from "./latencies.mjs";

/** What one load found. `passed` is false if an invariant is broken, no call succeeded, or a soak's memory grew. */
export function report({ options, calls, elapsedMs, memory, violations, totals, knowsProvider }) {
  const chats = calls.filter(({ name }) => name !== null);
  const complete = chats.filter(({ code }) => code === "ok");
  const ofKind = (kind) => calls.filter((call) => call.kind === kind && call.code === "ok");
  const kinds = [...new Set(calls.map(({ kind }) => kind))].sort();
  const passed = violations.length === 0 && complete.length > 0 && !(options.soak && memory.flat !== true);
  return {
    passed,
    users: options.users,
    think_ms: options.thinkMs,
    tenants: options.tenants,
    seconds: Math.round(elapsedMs / 100) / 10,
    chats: chats.length,
    complete: complete.length,
    complete_per_second: Math.round((complete.length / elapsedMs) * 10_000) / 10,
    first_byte_ms: summary(complete.map(({ firstMs }) => firstMs)),
    total_ms: summary(complete.map(({ totalMs }) => totalMs)),
    total_ms_by_kind: Object.fromEntries(kinds.map((kind) => [kind, summary(ofKind(kind).map(({ totalMs }) => totalMs))])),
    errors: counts(calls.filter(({ code }) => code !== "ok").map(({ kind, code, error }) => `${kind}: ${code}${error ? ` (${error})` : ""}`)),
    totals,
    knows_provider: knowsProvider,
    violations,
    memory,
  };
}

/** The report for people. */
export function text(result) {
  const { first_byte_ms, total_ms, total_ms_by_kind, memory, totals } = result;
  const row = (name, { count, p50, p95, p99, max }) => `  ${name.padEnd(16)}${[count, p50, p95, p99, max].map((value) => String(value ?? "-").padStart(10)).join("")}\n`;
  const errors = Object.entries(result.errors).map(([name, count]) => `  ${count} × ${name}\n`);
  const sources = result.knows_provider ? "the receipts, the ledger and the provider" : "the receipts and the ledger";
  const held = `  none: ${totals.complete} complete chats, ${totals.stored} stored turns, ${totals.receipts} receipts; ${sources} agree on ${totals.messages} messages, ${totals.tokens} tokens and ${totals.microDollars} micro-dollars; nothing is reserved\n`;
  return [
    `${result.users} users for ${result.seconds} s, think time ${result.think_ms / 1000} s, ${result.tenants} tenants\n`,
    `${result.complete} of ${result.chats} chats complete, ${result.complete_per_second} a second\n\n`,
    `  milliseconds         count       p50       p95       p99       max\n`,
    row("first byte", first_byte_ms),
    row("whole answer", total_ms),
    ...Object.entries(total_ms_by_kind).map(([kind, figures]) => row(`  ${kind}`, figures)),
    `\nErrors\n`,
    ...(errors.length > 0 ? errors : ["  none\n"]),
    `\nBroken invariants\n`,
    ...(result.violations.length > 0 ? result.violations.map((violation) => `  ✗ ${violation}\n`) : [held]),
    `\nMemory of workerd: ${memory.samples === 0 ? "not measured" : `${memory.early} MiB in the second quarter, ${memory.late} MiB in the last, at most ${memory.max} MiB: ${describe(memory.flat)}`}\n`,
    `${result.passed ? "Passed." : "Failed."}\n`,
  ].join("");
}

const describe = (flat) => (flat === null ? "too few samples" : flat ? "flat" : "growing");

/** `at` is the number of calls at the previous line. */
export function progressLine(calls, at, elapsedMs, durationMs) {
  const recent = calls.slice(at);
  const complete = recent.filter(({ code, name }) => code === "ok" && name !== null);
  const { p50, p95 } = summary(complete.map(({ totalMs }) => totalMs));
  const failed = recent.filter(({ code }) => code !== "ok").length;
  const seconds = (milliseconds) => Math.round(milliseconds / 1000);
  return `${seconds(elapsedMs)} of ${seconds(durationMs)} s: ${calls.length} requests, last interval ${complete.length} chats, p50 ${p50 ?? "-"} ms, p95 ${p95 ?? "-"} ms, ${failed} failed`;
}
