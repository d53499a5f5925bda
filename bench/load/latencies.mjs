// Latencies and counts of a load, with percentiles.

/** The smallest of the values that at least `percent` of them do not exceed; null without values. */
export function percentile(sorted, percent) {
  if (sorted.length === 0) return null;
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
}

/** `{ count, p50, p95, p99, max }` of durations in milliseconds. */
export function summary(durations) {
  const sorted = durations.toSorted((a, b) => a - b);
  const rounded = (value) => (value === null ? null : Math.round(value * 10) / 10);
  const [p50, p95, p99, max] = [50, 95, 99, 100].map((percent) => rounded(percentile(sorted, percent)));
  return { count: sorted.length, p50, p95, p99, max };
}

/** The number of items by name, most frequent first. */
export function counts(names) {
  const found = new Map();
  for (const name of names) found.set(name, (found.get(name) ?? 0) + 1);
  return Object.fromEntries([...found].sort(([, a], [, b]) => b - a));
}
