// The memory of the runtime during a load, from /proc (Linux only).
import { readdirSync, readFileSync } from "node:fs";
import { percentile } from "./latencies.mjs";

/** The part of a run that counts as warm-up: caches and pools fill. */
const WARM_UP = 0.25;

/** Growth from the second to the last quarter of a run that still counts as flat. */
const TOLERATED_GROWTH = 0.1;

/** The processes below these, themselves included, whose program has the given name. */
export function processesNamed(name, roots) {
  let processes;
  try {
    processes = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry)).map(read).filter((it) => it !== null);
  } catch {
    return [];
  }
  const family = new Set(roots);
  for (let before = -1; before !== family.size; ) {
    before = family.size;
    for (const { pid, parent } of processes) if (family.has(parent)) family.add(pid);
  }
  return processes.filter((process) => process.name === name && family.has(process.pid)).map(({ pid }) => pid);
}

function read(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid: Number(pid), name: stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")), parent: Number(parent) };
  } catch {
    return null; // it has ended
  }
}

/** The resident memory of these processes in MiB; null if none can be read. */
export function residentMiB(pids) {
  let kib = 0;
  for (const pid of pids) {
    try {
      kib += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
    } catch {
      // It has ended.
    }
  }
  return kib === 0 ? null : kib / 1024;
}

/**
 * Whether memory stayed flat: `{ flat, early, late, max, samples }`. Compares the medians of the second and the last quarter
 * of the samples `[milliseconds, MiB]`, since a garbage collector makes single samples jump. `flat` is null with too few.
 */
export function assess(samples) {
  const span = (from, to) => samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to)).map(([, mib]) => mib).toSorted((a, b) => a - b);
  const [early, late] = [percentile(span(WARM_UP, 0.5), 50), percentile(span(0.75, 1), 50)];
  const rounded = (value) => (value === null ? null : Math.round(value));
  const max = samples.length === 0 ? null : Math.max(...samples.map(([, mib]) => mib));
  const flat = samples.length < 8 ? null : late <= early * (1 + TOLERATED_GROWTH);
  return { flat, early: rounded(early), late: rounded(late), max: rounded(max), samples: samples.length };
}
