import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createBatchOf, listening, upload } from "../contestants/serve.ts";
import { spread } from "../measure/spread.ts";
import { goal } from "../report/goal.ts";
import type { Bench, Outcome, Row } from "../row.ts";
import { startWitness, type Witness } from "../upstream/witness.ts";
import { createInputs } from "./inputs.ts";

const lines = 50_000;
const lineBytes = 500;

/** How long a new batch waits for its first call. */
export const firstCall: Row = {
  name: "first-call",
  title: `From \`POST /v1/batches\` for an uploaded file of ${lines.toLocaleString("en-US")} lines of ${lineBytes} bytes to the first call that the model server sees, each time at a server that was just started`,
  run,
};

async function run(bench: Bench): Promise<Outcome> {
  using inputs = createInputs(bench, { lineBytes });
  const witness = await startWitness();
  const delays: number[] = [];
  const rounds = bench.rounds + 2;
  for (let round = 0; round < rounds; round += 1) {
    delays.push(await oneRound(bench, { witness, input: inputs.of(lines) }));
    console.error(`  round ${round + 1}/${rounds}  ${delays.at(-1)?.toFixed(0)} ms`);
  }
  witness.close();
  return {
    rounds,
    contestants: [{ name: "nerif serve", figures: { "create to first call, ms": spread(delays) } }],
    goals: [
      goal(
        {
          figure: `${lines.toLocaleString("en-US")} lines of ${lineBytes} bytes: create to first call`,
          ...{ unit: "ms", sense: "at most", bound: 400 },
        },
        delays,
      ),
    ],
    skipped: [],
  };
}

async function oneRound(bench: Bench, { witness, input }: { witness: Witness; input: string }) {
  const data = join(bench.scratch, "serve");
  const args = ["--upstream", witness.url, "--port", "0", "--json", "--data-dir", data];
  const server = spawn(process.execPath, [bench.nerif, "serve", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(server, "exit");
  const url = await listening(server.stdout);
  const file = await upload(url, input);
  const first = witness.more(1);
  const begin = performance.now();
  await createBatchOf(url, file);
  const delay = (await first) - begin;
  server.kill("SIGKILL");
  await ended;
  rmSync(data, { recursive: true });
  return delay;
}
