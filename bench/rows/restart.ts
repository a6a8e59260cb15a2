import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runArguments } from "../contestants/nerif.ts";
import { spread } from "../measure/spread.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { startWitness } from "../upstream/witness.ts";
import { createInputs } from "./inputs.ts";

const lines = 1_000_000;
const lineBytes = 500;
const inFlight = 64;
/** Calls between a start and its kill. */
const between = 2_000;

/** How long a batch that was killed in its midst waits for its next call. */
export const restart: Row = {
  name: "restart",
  title: `\`nerif run\` of ${lines.toLocaleString("en-US")} lines of ${lineBytes} bytes, killed with \`kill -9\` when half of them are done, and a few times more: from each start of the process to the first call that the model server sees`,
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes });
  const input = inputs.of(lines);
  const directory = join(bench.scratch, "restart");
  mkdirSync(directory);
  const witness = await startWitness();
  const rest = runArguments({
    ...{ input, inFlight },
    output: join(directory, "output.jsonl"),
    data: join(directory, "data"),
  });
  const args = [bench.nerif, ...rest, "--upstream", witness.url];
  const rounds = bench.rounds + 2;
  const delays: number[] = [];
  await startAndKill(lines / 2);
  for (let round = 0; round < rounds; round += 1) {
    delays.push(await startAndKill(between));
    console.error(`  round ${round + 1}/${rounds}  ${delays.at(-1)?.toFixed(0)} ms`);
  }
  witness.close();
  rmSync(directory, { recursive: true });
  return {
    rounds,
    contestants: [{ name: "nerif run", figures: { "start to first new call, ms": spread(delays) } }],
    goals: [
      goal(
        {
          figure: `restart on a half-done batch of ${lines.toLocaleString("en-US")} lines: start to first new call`,
          ...{ unit: "ms", sense: "at most", bound: 1_000 },
        },
        delays,
      ),
    ],
    skipped: [],
  };

  /** @returns milliseconds from the start to the first call */
  async function startAndKill(calls: number): Promise<number> {
    const first = witness.more(1);
    const begin = performance.now();
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    const ended = once(child, "exit");
    const unexpected = ended.then(([code]) => Promise.reject(new Error(`It ended with status ${code}`)));
    const delay = (await Promise.race([first, unexpected])) - begin;
    await Promise.race([witness.more(calls), unexpected]);
    unexpected.catch(() => {});
    child.kill("SIGKILL");
    await ended;
    // What it had sent may still be on its way.
    await sleep(100);
    return delay;
  }
}
