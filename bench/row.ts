import type { Spread } from "./measure/spread.ts";
import type { Goal } from "./report/goal.ts";
import type { Upstream } from "./upstream/upstream.ts";

/** One row of the table of goals, or a few that come out of the same runs. */
export interface Row {
  name: string;
  /** What is run, in a sentence or two for the page. */
  title: string;
  /** Takes so long that it is left out of a run of everything. Default false. */
  onlyWhenNamed?: boolean;
  run(bench: Bench): Promise<Outcome>;
}

/** What all rows share. */
export interface Bench {
  /** The command as it would be published. */
  nerif: string;
  upstream: Upstream;
  /** An existing directory for everything that is written; a row leaves nothing large in it. */
  scratch: string;
  rounds: number;
}

export interface Outcome {
  rounds: number;
  /** What each contestant has shown, by the name of the figure. */
  contestants: { name: string; figures: Record<string, Spread> }[];
  goals: Goal[];
  /** What could not be run on this machine, and what it would take. */
  skipped: string[];
}
