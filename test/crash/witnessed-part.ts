import { join } from "node:path";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import { startWitness, type Witness, type WitnessOptions } from "./oracle/witness.ts";
import type { Part, Round } from "./part.ts";

export interface RoundOptions {
  /** The round's own; it goes when no promise was broken. */
  directory: string;
  witness: Witness;
  /** Unique among the rounds that one witness sees. */
  name: string;
  /** By which the witness answers. */
  seed: number;
  /** The round's own stream of numbers. */
  random: () => number;
}

export interface WitnessedPart extends Omit<Part, "open" | "unavailable"> {
  /** Default: it can run everywhere. */
  unavailable?: () => string | null;
  witness?: Pick<WitnessOptions, "latency" | "errorRate">;
  round: (options: RoundOptions) => Promise<Round>;
}

/** A part whose rounds share one witness. */
export function witnessedPart(options: WitnessedPart): Part {
  const { unavailable = () => null, witness: how = {}, round, ...part } = options;
  return {
    ...part,
    unavailable,
    async open({ directory, seed }) {
      const witness = await startWitness({ directory, seed, ...how });
      return {
        round(index) {
          const name = `${seed}-${index}`;
          const random = createRandom(seedOf(seed, name));
          return round({ directory: join(directory, `round-${index}`), witness, name, seed, random });
        },
        [Symbol.asyncDispose]: () => witness.stop(),
      };
    },
  };
}
