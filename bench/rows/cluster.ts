import { startPostgres, withoutPostgres } from "../../test/support/postgres.ts";
import { type ClusterRun, cluster } from "../contestants/cluster.ts";
import { spread } from "../measure/spread.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { createInputs } from "./inputs.ts";

const lines = 100_000;
const lineBytes = 450;
const load = { lines, inFlight: 128, delayMs: 200 };
const counts = [1, 4] as const;

/** Whether several processes share one batch evenly, to its very end. */
export const clusterRow: Row = {
  name: "cluster",
  title: `One batch of ${lines.toLocaleString("en-US")} lines on PostgreSQL and a shared directory, by \`nerif serve\` alone and by it and three \`nerif worker\`, each with ${load.inFlight} calls in flight that are answered after ${load.delayMs} ms: from the first to the last call that the model server sees`,
  onlyWhenNamed: true,
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  if (withoutPostgres !== null) return { rounds: 0, contestants: [], goals: [], skipped: [withoutPostgres] };
  using inputs = createInputs(bench, { lineBytes });
  const postgres = await startPostgres();
  const runs = new Map<number, ClusterRun[]>(counts.map((count) => [count, []]));
  try {
    for (let round = 1; round <= bench.rounds; round += 1) {
      for (const [processes, made] of runs) {
        const one = await cluster(bench, { ...load, postgres, input: inputs.of(lines), processes });
        made.push(one);
        const { seconds, calls, idleAtEnd } = one;
        console.error(
          `  round ${round}/${bench.rounds}  ${seconds.toFixed(1)} s; calls of each process: ${calls.join(", ")}; one had none for the last ${idleAtEnd.toFixed(2)} s`,
        );
      }
    }
  } finally {
    await postgres.remove();
  }
  const [alone, together] = counts.map((count) => runs.get(count) ?? []) as [ClusterRun[], ClusterRun[]];
  return {
    rounds: bench.rounds,
    contestants: [
      { name: "nerif serve", figures: figuresOf(alone) },
      { name: "nerif serve and three workers", figures: figuresOf(together) },
    ],
    goals: [
      goal(
        { figure: "rate of four processes / rate of one", sense: "at least", bound: 3.5 },
        together.map(({ seconds }, round) => (alone[round]?.seconds ?? Number.NaN) / seconds),
      ),
      goal(
        { figure: "share of the least busy of four processes", sense: "at least", bound: 0.2 },
        together.map(leastShare),
      ),
    ],
    skipped: [],
  };
}

function figuresOf(runs: readonly ClusterRun[]) {
  return {
    "calls per second": spread(runs.map(({ seconds }) => lines / seconds)),
    "least share of a process": spread(runs.map(leastShare)),
    "seconds without calls at the end": spread(runs.map(({ idleAtEnd }) => idleAtEnd)),
  };
}

function leastShare({ calls }: ClusterRun): number {
  return Math.min(...calls) / calls.reduce((sum, each) => sum + each, 0);
}
