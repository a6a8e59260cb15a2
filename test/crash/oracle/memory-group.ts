import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A control group of the kernel, of version 1 or 2, that ends processes beyond a limit of memory. */
export interface MemoryGroup {
  add(pid: number): void;
  /** Most bytes that it had at once. */
  peak(): number;
  /** All its processes must have ended. */
  remove(): void;
}

const first = "/sys/fs/cgroup/memory";
const second = "/sys/fs/cgroup";

/** Why memory cannot be limited here, or null. */
export function groupsUnavailable(): string | null {
  if (process.platform !== "linux") return "control groups are Linux's";
  try {
    createMemoryGroup(2 ** 30).remove();
    return null;
  } catch {
    return "this system does not let us make a control group for memory";
  }
}

export function createMemoryGroup(bytes: number): MemoryGroup {
  const isFirst = existsSync(join(first, "memory.limit_in_bytes"));
  const directory = join(isFirst ? first : second, `nerif-test-${process.pid}-${bytes}`);
  const names = isFirst
    ? { limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes" }
    : { limit: "memory.max", peak: "memory.peak" };
  mkdirSync(directory);
  writeFileSync(join(directory, names.limit), String(bytes));
  return {
    add: (pid) => writeFileSync(join(directory, "cgroup.procs"), String(pid)),
    peak: () => Number(readFileSync(join(directory, names.peak), "utf8")),
    remove: () => rmdirSync(directory),
  };
}
