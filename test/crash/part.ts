/** One kind of proof: rounds that are alike, each with a number, so that a part can be taken up where it stopped. */
export interface Part {
  name: string;
  /** What is done in a round, for the report. */
  title: string;
  /** Rounds of the long tier; null: as many as there are. */
  rounds: number | null;
  /** Why this machine cannot run it, or null. */
  unavailable(): string | null;
  open(options: PartOptions): Promise<Rounds>;
}

export interface PartOptions {
  /** For the part's own use; what a failed round left stays there. */
  directory: string;
  seed: number;
}

export interface Rounds extends AsyncDisposable {
  /** Runs round `index`, from 0. Null: there is no such round, nor any behind it. */
  round(index: number): Promise<Round | null>;
}

/**
 * Somebody outside, or the machine itself, has ended a process of a round: what came of it says nothing about
 * promises, and the round has to be run again.
 */
export class Disturbance extends Error {}

/** Signals that no process of a round sends itself. */
export function isFromOutside(signal: NodeJS.Signals | null): boolean {
  return signal === "SIGKILL" || signal === "SIGTERM";
}

export interface Round {
  /** Summed up over the rounds. */
  counts: Record<string, number>;
  /** Collected over the rounds, for medians and the like. */
  samples?: Record<string, number[]>;
  /** Computed over all rounds so far; those of the last round count. */
  figures?: Record<string, string>;
  /** Each breaks a promise. */
  violations: string[];
}
