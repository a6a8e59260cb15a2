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
  /** Goes on without faults, and holds what came of it against the witness. */
  finish(): Promise<{ violations: string[]; repeats: number }>;
  remove(): void;
}

const modes = {
  kill: { says: "kill -9 in place of call N", fault: { action: "kill" } },
  torn: { says: "half of write N, then kill -9", fault: { action: "torn", calls: ["write"] } },
  power: { says: "power cut at call N; only what was synced is there", fault: { action: "kill" } },
  names: {
    says: "power cut at call N; every name is there, bytes only where synced",
    fault: { action: "kill" },
  },
} as const satisfies Record<string, { says: string; fault: Pick<Fault, "action" | "calls"> }>;

export type PointMode = keyof typeof modes;

/** Round N ends the script at its call N that changes files, for N from 1 until it comes to its end by itself. */
export function pointsPart(script: Script, mode: PointMode): Part {
  const { says, fault } = modes[mode];
  return {
    name: `${script.name}-${mode}`,
    title: `${script.does}: ${says}`,
    rounds: null,
    unavailable: faultsUnavailable,
    async open({ directory, seed }) {
      const witness = await startWitness({ directory, latency: "10ms" });
      return {
        async round(index) {
          const at = index + 1;
          const place = join(directory, `point-${at}`);
          const world = await script.prepare({ directory: place, witness, name: `${seed}-${at}` });
          const shadow = mode === "power" || mode === "names" ? `${place}.shadow` : null;
          if (shadow !== null) beginShadow(world.directory, shadow);
          const environment = { ...fault, root: world.directory, at, ...(shadow === null ? {} : { shadow }) };
          const { signal } = await world.play(faultEnvironment(environment));
          if (shadow !== null && signal !== null) {
            cutPower(world.directory, shadow, mode === "power" ? "synced" : "all");
          }
          const { violations, repeats } = await world.finish();
          if (violations.length === 0) world.remove();
          if (signal === null && violations.length === 0) return null;
          const named = violations.map((violation) => `call ${at}: ${violation}`);
          return { counts: { points: 1, repeated: repeats }, violations: named } satisfies Round;
        },
        [Symbol.asyncDispose]: () => witness.stop(),
      };
    },
  };
}
