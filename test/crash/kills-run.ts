import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import { killGroup } from "../support/cli-process.ts";
import { firstCalls, type Start } from "./oracle/check-calls.ts";
import { createRunWorld } from "./oracle/run-world.ts";
import { startWitness, type Witness } from "./oracle/witness.ts";
import type { Part, Round } from "./part.ts";

const concurrency = 16;
const killsPerRound = 5;

/** A round: one run of 600 lines, whose process group is killed up to five times and started again. */
export const runKills: Part = {
  name: "kills-run",
  title: "nerif run of 600 lines, kill -9 of its process group at random moments, up to 5 a round",
  rounds: 100,
  unavailable: () => null,
  async open({ directory, seed }) {
    const witness = await startWitness({ directory, latency: "lognormal:30ms,0.6" });
    return {
      round: (index) =>
        round({ directory: join(directory, `round-${index}`), witness, name: `${seed}-${index}` }),
      [Symbol.asyncDispose]: () => witness.stop(),
    };
  },
};

async function round(options: { directory: string; witness: Witness; name: string }): Promise<Round> {
  const { witness } = options;
  const random = createRandom(seedOf(1, options.name));
  const world = createRunWorld({ ...options, lines: 600, concurrency });
  const starts: Start[] = [];
  let kills = 0;
  for (let kill = 0; kill < killsPerRound; kill += 1) {
    const at = Date.now();
    const run = world.start();
    // Most in the midst of the work, some while it starts, and now and then it is done before.
    const moment = random() < 0.3 ? sleep(random() * 800) : witness.more(1 + random() * 200, 30_000);
    await Promise.race([moment.then(() => sleep(random() * 30)), run.ended]);
    const { signal } = await killGroup(run);
    if (signal !== null) kills += 1;
    starts.push({ at, until: Date.now() });
  }
  const { violations, repeats, calls } = await world.finish(kills * 2 * concurrency);
  if (violations.length === 0) world.remove();
  return {
    counts: { kills, lines: 600, repeated: repeats, "may be repeated": kills * 2 * concurrency },
    // The first start has to validate before it sends.
    samples: { "restart to first call, ms": firstCalls(calls, starts.slice(1)) },
    violations,
  };
}
