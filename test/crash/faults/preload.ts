import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What becomes of one call that changes files; see `faults.c`. */
export interface Fault {
  /** Calls on files below this directory count. */
  root: string;
  action: "kill" | "torn" | "short" | "eio" | "enospc" | "none";
  /** Number of the call, from 1. Default 0: none. */
  at?: number;
  /** Only calls on paths that end so count. Default all. */
  suffix?: string;
  /** Names of the calls that count. Default all. */
  calls?: readonly string[];
  /** Gets a line for each call that counts. */
  log?: string;
  /** Keeps here what a power cut would have left; see `faults.c`. */
  shadow?: string;
}

/** Environment variables with which a process meets the fault. */
export function faultEnvironment(fault: Fault): Record<string, string> {
  const { root, action, at = 0, suffix, calls, log, shadow } = fault;
  return {
    LD_PRELOAD: preload("faults"),
    NERIF_FAULT_ROOT: root,
    NERIF_FAULT_ACTION: action,
    NERIF_FAULT_AT: String(at),
    ...(suffix === undefined ? {} : { NERIF_FAULT_SUFFIX: suffix }),
    ...(calls === undefined ? {} : { NERIF_FAULT_CALLS: `,${calls.join()},` }),
    ...(log === undefined ? {} : { NERIF_FAULT_LOG: log }),
    ...(shadow === undefined ? {} : { NERIF_FAULT_SHADOW: shadow }),
  };
}

/** Why faults cannot be made on this machine, or null when they can. */
export function faultsUnavailable(): string | null {
  if (process.platform !== "linux") return "faults are made with LD_PRELOAD, which needs Linux";
  try {
    preload("faults");
    return null;
  } catch {
    return "there is no C compiler (cc) to build what LD_PRELOAD loads";
  }
}

/** Builds a library of this folder unless it was built before, and says where it is. */
export function preload(name: string): string {
  const source = join(import.meta.dirname, `${name}.c`);
  const directory = join(tmpdir(), `nerif-faults-${process.getuid?.() ?? 0}`);
  const built = join(directory, `${name}-${hash("sha256", readFileSync(source)).slice(0, 16)}.so`);
  if (existsSync(built)) return built;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const temporary = `${built}.${process.pid}`;
  execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", temporary, source, "-ldl"], { stdio: "pipe" });
  // By rename: several tests may build it at once.
  renameSync(temporary, built);
  return built;
}
