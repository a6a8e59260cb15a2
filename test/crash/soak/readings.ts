import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Server } from "../oracle/server.ts";
import type { Reading } from "./flat.ts";

/** What a process holds at one moment. */
export interface Held {
  /** Unix time in milliseconds. */
  at: number;
  /** VmRSS, MiB. */
  resident: number;
  /** RssAnon, MiB: without the pages of files, which the system lends and takes back. */
  anonymous: number;
  sockets: number;
  /** Descriptors of all else: files, pipes, event queues. */
  files: number;
}

export interface Readings extends Disposable {
  /** Of all processes of the server, oldest first. */
  taken: Held[];
  /** What it holds now; none when it does not run. */
  now(): Held[];
}

/** Reads what the server holds, again and again; leaves out the moments at which none runs. */
export function takeReadings(server: Server, everyMs: number): Readings {
  const taken: Held[] = [];
  const now = () => {
    const held = holds(server);
    return held === null ? [] : [held];
  };
  const timer = setInterval(() => taken.push(...now()), everyMs);
  return { taken, now, [Symbol.dispose]: () => clearInterval(timer) };
}

export function readingsOf(taken: readonly Held[], what: Exclude<keyof Held, "at">): Reading[] {
  return taken.map((held) => ({ at: held.at, value: held[what] }));
}

function holds(server: Server): Held | null {
  try {
    const { pid } = server.process().child;
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => readlink(`/proc/${pid}/fd/${fd}`));
    // A process that was killed and not yet waited for holds nothing.
    if (!status.includes("RssAnon:")) return null;
    const sockets = open.filter((target) => target.startsWith("socket:")).length;
    return {
      at: Date.now(),
      resident: mib(status, "VmRSS"),
      anonymous: mib(status, "RssAnon"),
      sockets,
      files: open.length - sockets,
    };
  } catch {
    // It ended meanwhile, or was not started yet.
    return null;
  }
}

function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // Closed meanwhile.
    return "";
  }
}

function mib(status: string, name: string): number {
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024;
}
