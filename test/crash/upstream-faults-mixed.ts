import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isFinal } from "../../src/batch/lifecycle.ts";
import { checkFaults } from "./oracle/check-faults.ts";
import { type FaultKind, faultKinds } from "./oracle/fault-kinds.ts";
import { type FaultWitness, startFaultWitness } from "./oracle/fault-witness.ts";
import { watchPeak } from "./oracle/peak-memory.ts";
import { knownFile } from "./oracle/requests.ts";
import { createServeWorld } from "./oracle/serve-world.ts";
import type { Part, Round } from "./part.ts";
import { endMs, type FaultyRun, faultArgs, faultRules, firstOf, runFile } from "./upstream-faults.ts";

const concurrency = 64;
/** Of the calls, until 19 of 20 lines have their end. */
const share = 0.12;
const faultyPart = 0.95;
const refusals = 5;

interface Options {
  directory: string;
  witness: FaultWitness;
  lines: number;
  seed: number;
}

/** All ways to fail at once, with a refusal of all connections now and then. */
export function mixedFaults(by: "run" | "serve", lines = 100_000): Part {
  return {
    name: `faults-mixed-${by}`,
    title: `nerif ${by} of ${lines.toLocaleString("en-US")} lines, ${concurrency} at once; every way to fail, ${share * 100} of 100 calls, and refused connections ${refusals} times, until 95 of 100 lines are done`,
    rounds: 1,
    unavailable: () => null,
    open: async ({ directory, seed }) => ({
      async round(index) {
        const witness = await startFaultWitness(pickAny(), { seed: seed + index });
        const options = { directory: join(directory, `round-${index}`), witness, lines, seed: seed + index };
        let isOver = false;
        const faults = troubles(options, () => !isOver);
        const result = await (by === "run" ? runFile({ ...options, concurrency }) : serveRound(options));
        isOver = true;
        const { stoppedAt } = await faults;
        const after = result.endedAt - stoppedAt;
        if (after > endMs) result.violations.push(`I9 it ended ${after} ms after the last fault`);
        await witness.stop();
        return {
          counts: result.counts,
          samples: {
            "peak memory, MiB": result.peak === null ? [] : [result.peak],
            "end after the last fault, ms": [after],
          },
          violations: result.violations,
        } satisfies Round;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  };
}

function pickAny(): (random: number) => FaultKind | null {
  const kinds = Object.values(faultKinds);
  const all = kinds.reduce((sum, { weight }) => sum + weight, 0);
  return (random) => {
    let left = (random / share) * all;
    for (const kind of kinds) {
      left -= kind.weight;
      if (left < 0) return kind;
    }
    return null;
  };
}

/** Refuses from time to time, and ends all faults when most lines are done. */
async function troubles({ witness, lines }: Options, goesOn: () => boolean): Promise<{ stoppedAt: number }> {
  const done = () => witness.calls().length / (lines * (1 + share));
  for (let refused = 1; goesOn() && done() < faultyPart; await sleep(10)) {
    if (done() < (refused * faultyPart) / (refusals + 1)) continue;
    refused += 1;
    await witness.refuse(300);
  }
  witness.stopFaults();
  return { stoppedAt: Date.now() };
}

async function serveRound({ directory, witness, lines, seed }: Options): Promise<FaultyRun> {
  const world = createServeWorld({ directory, witness, concurrency, args: faultArgs });
  const { server, driver } = world;
  await server.start();
  const peak = watchPeak(server.process().child.pid);
  const input = knownFile(`faults-${seed}`, lines);
  const file = await driver.upload(input);
  let batch = file === null ? null : await driver.create(file.id, "24h");
  while (batch !== null && !isFinal(batch.status)) {
    await sleep(200);
    batch = await driver.look(batch.id);
  }
  const endedAt = Date.now();
  const text = async (id: string | null | undefined) =>
    id ? (await server.ask(`/v1/files/${id}/content`)).text() : null;
  const results = { output: await text(batch?.output_file_id), errors: await text(batch?.error_file_id) };
  const highest = peak();
  await server.stop();
  const calls = witness.calls();
  const checked = checkFaults(input.requests, results, { calls, rules: faultRules });
  // What was called in vain is what the rules of attempts are about.
  const finished = await world.finish(Number.POSITIVE_INFINITY);
  const violations = firstOf([...checked.violations, ...finished.violations]);
  if (violations.length === 0) world.remove();
  const { completed, failed } = checked.counts;
  return { counts: { lines, calls: calls.length, completed, failed }, violations, peak: highest, endedAt };
}
