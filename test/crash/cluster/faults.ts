import { setTimeout as sleep } from "node:timers/promises";
import type { Server } from "../oracle/server.ts";
import type { Database } from "./database.ts";
import { cuts, type Gate } from "./gate.ts";

/** Something that faults befall, one at a time. */
export interface Target {
  name: string;
  strike(random: () => number): Promise<Struck>;
}

export interface Struck {
  /** For the report, such as `server killed`. */
  what: string;
  /** Processes that may have to repeat calls for it. */
  repeating: number;
}

/** Leases last for 12 s and are renewed every 4 s: who stands still for less than this keeps his. */
const harmlessMs = 4_000;

export function memberTarget({ name, server }: { name: string; server: Server }): Target {
  return {
    name,
    async strike(random) {
      // The database or the files were away when it was to start.
      if (!server.isRunning()) await server.start();
      if (!server.isRunning()) return { what: `${name} that could not start`, repeating: 0 };
      const pick = random();
      if (pick < 0.5) {
        await server.kill();
        if (random() < 0.4) await sleep(random() * 4_000);
        await server.start();
        return { what: `${name} killed`, repeating: 1 };
      }
      const isLong = pick < 0.8;
      const pid = server.process().child.pid ?? 0;
      process.kill(-pid, "SIGSTOP");
      await sleep(isLong ? 12_500 + random() * 3_000 : random() * 3_000);
      process.kill(-pid, "SIGCONT");
      return isLong
        ? { what: `${name} paused beyond its leases`, repeating: 1 }
        : { what: `${name} paused shortly`, repeating: 0 };
    },
  };
}

/** @param processes that use it */
export function databaseTarget(database: Database, processes: number): Target {
  const repeating = (away: number) => (away < harmlessMs ? 0 : processes);
  return {
    name: "PostgreSQL",
    async strike(random) {
      const pick = random();
      if (pick < 0.7) {
        const away = await database.killFor(pick < 0.15 ? 12_000 : random() * 2_500);
        return { what: "PostgreSQL killed", repeating: repeating(away) };
      }
      const paused = await database.pauseFor(pick < 0.9 ? 12_500 + random() * 3_000 : random() * 3_000);
      return { what: "PostgreSQL paused", repeating: repeating(paused) };
    },
  };
}

/** Leases are in the database: who cannot reach S3 keeps them, and what it has in memory. */
export function filesTarget(gate: Gate): Target {
  return {
    name: "S3",
    async strike(random) {
      const how = cuts[Math.floor(random() * cuts.length)] ?? "reset";
      await gate.cut(how);
      await sleep(random() < 0.25 ? 12_000 + random() * 3_000 : random() * 5_000);
      await gate.restore({ late: random() < 0.5 });
      return { what: `S3 cut (${how})`, repeating: 0 };
    },
  };
}
