import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CliResult } from "../support/cli-process.ts";
import { type Fault, faultEnvironment, faultsUnavailable } from "./faults/preload.ts";
import { beginShadow, cutPower } from "./faults/shadow.ts";
import { startWitness, type Witness } from "./oracle/witness.ts";
import type { Part, Round } from "./part.ts";

/** What is done again and again, each time with another call that is its last. */
export interface Script {
  name: string;
  /** What it does, for the report. */
  does: string;
  prepare(options: { directory: string; witness: Witness; name: string }): Promise<ScriptWorld>;
}

export interface ScriptWorld {
  /** Calls on files below it count; all that a power cut would reach. */
  directory: string;
  /** Runs the script with these variables, to its end or its death. */
  play(env: Record<string, string>): Promise<CliResult>;
  /**
   * Goes on without faults, and holds what came of it against the witness.
   *
   * @param spans by which calls may have been in vain, each as many as the concurrency
   */
  finish(spans: number): Promise<{ violations: string[]; repeats: number }>;
  remove(): void;
}

interface Mode {
  says: string;
  fault: Pick<Fault, "action" | "calls">;
  /** What a power cut leaves that follows; null: there is none. */
  cut: "synced" | "all" | null;
}

const syncs = ["fsync", "fdatasync"];

const modes = {
  kill: { says: "kill -9 in place of call N", fault: { action: "kill" }, cut: null },
  torn: { says: "half of write N, then kill -9", fault: { action: "torn", calls: ["write"] }, cut: null },
  power: {
    says: "power cut at call N; only what was synced is there",
    fault: { action: "kill" },
    cut: "synced",
  },
  names: {
    says: "power cut at call N; every name is there, bytes only where synced",
    fault: { action: "kill" },
    cut: "all",
  },
  "sync-eio": {
    says: "sync N fails with EIO; when the process has ended, a power cut takes all that was not synced",
    fault: { action: "eio", calls: syncs },
    cut: "synced",
  },
  "write-eio": {
    says: "write N fails with EIO; when the process has ended, a power cut takes all that was not synced",
    fault: { action: "eio", calls: ["write"] },
    cut: "synced",
  },
  short: { says: "write N takes half of its bytes", fault: { action: "short", calls: ["write"] }, cut: null },
  full: {
    says: "call N fails with ENOSPC, once",
    fault: { action: "enospc", calls: ["write", "create", "mkdir", "ftruncate", "rename"] },
    cut: null,
  },
} as const satisfies Record<string, Mode>;

export type PointMode = keyof typeof modes;

/** Round N ends the script at its call N that changes files, for N from 1 until it comes to its end by itself. */
export function pointsPart(script: Script, mode: PointMode): Part {
  const { says, fault, cut }: Mode = modes[mode];
  return {
    name: `points-${script.name}-${mode}`,
    title: `${script.does}: ${says}`,
    rounds: null,
    unavailable: faultsUnavailable,
    async open({ directory, seed }) {
      const witness = await startWitness({ directory, latency: "10ms" });
      return {
        async round(index) {
          const at = index + 1;
          const place = join(directory, `point-${at}`);
          const [shadow, log] = [`${place}.shadow`, `${place}.log`];
          const world = await script.prepare({ directory: place, witness, name: `${seed}-${at}` });
          const { directory: root } = world;
          rmSync(log, { force: true });
          if (cut !== null) beginShadow(root, shadow);
          const ended = await world.play(
            faultEnvironment({ ...fault, root, at, log, ...(cut === null ? {} : { shadow }) }),
          );
          const isThrough = countCalls(log) < at;
          if (cut !== null && !isThrough) cutPower(root, shadow, cut);
          // In flight, the answers of one turn of the event loop, and in a power cut those of one sync interval.
          const { violations, repeats } = await world.finish(cut === null ? 2 : 3);
          if (violations.length === 0) {
            world.remove();
            for (const path of [shadow, log]) rmSync(path, { recursive: true, force: true });
            if (isThrough) return null;
          }
          const how = ended.signal ?? (ended.code === 0 ? "went on" : `stopped with ${ended.code}`);
          return {
            counts: { points: 1, [how]: 1, repeated: repeats },
            violations: violations.map((violation) => `call ${at} (${how}): ${violation}`),
          } satisfies Round;
        },
        [Symbol.asyncDispose]: () => witness.stop(),
      };
    },
  };
}

/** Calls that counted. */
function countCalls(log: string): number {
  return existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0;
}
