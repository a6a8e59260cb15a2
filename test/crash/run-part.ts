import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Disturbance, type Part, type Round } from "./part.ts";

/** A machine on which processes are ended that often is none to measure on. */
const mostDisturbances = 20;

export interface RunOptions {
  directory: string;
  seed: number;
  /** Which round comes first. */
  from: number;
  /** Takes only every so many-th round. */
  stride: number;
  /** How many rounds run beside each other, each with servers of its own. */
  jobs: number;
  /** Before which round it ends; null: none. */
  until: number | null;
  /** Takes the rounds in their order, whichever ends first; whether to go on. */
  take(round: Round, ms: number): boolean;
}

/** Runs the rounds of a part. @returns whether it came to the part's last one */
export async function runPart(part: Part, options: RunOptions): Promise<boolean> {
  const { directory, seed, from, stride, jobs, until, take } = options;
  const ended = new Map<number, { round: Round; ms: number }>();
  let next = from;
  let due = from;
  let wasLast = false;
  let isStopped = false;

  const goesOn = () => !wasLast && !isStopped && (until === null || next < until);

  function takeEnded(): void {
    for (;;) {
      const found = ended.get(due);
      if (found === undefined || isStopped) return;
      ended.delete(due);
      due += 1;
      isStopped = !take(found.round, found.ms);
    }
  }

  async function job(own: string): Promise<void> {
    mkdirSync(own);
    let disturbed = 0;
    let again: number | null = null;
    while (again !== null || goesOn()) {
      await using rounds = await part.open({ directory: own, seed });
      try {
        while (again !== null || goesOn()) {
          const index: number = again ?? next++;
          again = index;
          const begun = performance.now();
          const round = await rounds.round(index * stride);
          again = null;
          if (round === null) wasLast = true;
          else ended.set(index, { round, ms: performance.now() - begun });
          takeEnded();
        }
      } catch (reason) {
        disturbed += 1;
        if (!(reason instanceof Disturbance) || disturbed > mostDisturbances) throw reason;
        console.log(`${part.name}: ${reason.message}; the round is run again`);
      }
    }
  }

  await Promise.all(Array.from({ length: jobs }, (_, nth) => job(join(directory, `job-${nth}`))));
  return wasLast;
}
