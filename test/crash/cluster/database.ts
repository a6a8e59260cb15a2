import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { PostgresServer } from "../../support/postgres.ts";

/** PostgreSQL with all its processes. */
export interface Database {
  /** `kill -9`, and started again on the same data. @returns for how long nobody could ask it, in milliseconds */
  killFor(ms: number): Promise<number>;
  /** Stopped and continued. @returns for how long, in milliseconds */
  pauseFor(ms: number): Promise<number>;
}

export function databaseOf(postgres: PostgresServer): Database {
  /** The one that begins the others first, so that none is left out. */
  function stop(): number[] {
    const { pid } = postgres;
    process.kill(pid, "SIGSTOP");
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    const all = [pid, ...children.split(" ").filter(Boolean).map(Number)];
    signal(all, "SIGSTOP");
    return all;
  }

  return {
    async killFor(ms) {
      const from = performance.now();
      const [, ...children] = stop();
      const ended = postgres.kill();
      signal(children, "SIGKILL");
      await ended;
      await sleep(ms);
      await postgres.start();
      return performance.now() - from;
    },
    async pauseFor(ms) {
      const from = performance.now();
      const all = stop();
      await sleep(ms);
      signal(all.toReversed(), "SIGCONT");
      return performance.now() - from;
    },
  };
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // A connection may have ended meanwhile.
    }
  }
}
