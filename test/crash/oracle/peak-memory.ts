import { readFileSync } from "node:fs";

/** @returns resident memory of a process in MiB, now and at its highest; null where nobody tells */
export function memoryOf(pid: number | undefined): { now: number; peak: number } | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const read = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1_024;
    const memory = { now: read("VmRSS"), peak: read("VmHWM") };
    return Number.isNaN(memory.peak) ? null : memory;
  } catch {
    // It has ended, or this system has no such file.
    return null;
  }
}

/** Looks until it is stopped. @returns the highest resident memory in MiB; null where nobody tells */
export function watchPeak(pid: number | undefined): () => number | null {
  let peak: number | null = null;
  const look = () => {
    peak = memoryOf(pid)?.peak ?? peak;
  };
  const timer = setInterval(look, 100);
  return () => {
    look();
    clearInterval(timer);
    return peak;
  };
}
