import { setTimeout as sleep } from "node:timers/promises";
import { killGroup } from "../support/cli-process.ts";
import { firstCalls, type Start } from "./oracle/check-calls.ts";
import { createRunWorld } from "./oracle/run-world.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 16;
const killsPerRound = 5;

/** A round: one run of 600 lines, whose process group is killed up to five times and started again. */
export const runKills = witnessedPart({
  name: "kills-run",
  title: "nerif run of 600 lines, kill -9 of its process group at random moments, up to 5 a round",
  rounds: 100,
  witness: { latency: "lognormal:30ms,0.6" },
  round,
});

async function round(options: RoundOptions): Promise<Round> {
  const { witness, random } = options;
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
