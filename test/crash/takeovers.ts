import { setTimeout as sleep } from "node:timers/promises";
import { startCli } from "../support/cli-process.ts";
import { knownFile } from "./oracle/requests.ts";
import { createServeWorld } from "./oracle/serve-world.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 8;
/** Leases last 15 seconds. */
const pauseMs = 17_000;

/**
 * A round: a server is stopped (SIGSTOP) for longer than its leases, and another is started on the same directory.
 * One directory has one executor as long as its process lives, so the other one has to be refused, and the first goes
 * on where it was. Whether a late writer's results count is for the simulation, which has several executors.
 */
export const takeovers = witnessedPart({
  name: "takeovers",
  title:
    "nerif serve stopped with SIGSTOP for 17 seconds, longer than its leases, in the middle of a batch; a second server on its directory must be refused, and nothing be lost or repeated when the first goes on",
  rounds: 5,
  witness: { latency: "lognormal:30ms,0.6" },
  round,
});

async function round(options: RoundOptions): Promise<Round> {
  const { directory, witness, name, seed } = options;
  const world = createServeWorld({ directory, witness, concurrency, seed });
  const { server, driver, history } = world;
  await server.start();
  const { pid } = server.process().child;
  const file = await driver.upload(knownFile(name, 1_500));
  if (file !== null) await driver.create(file.id, "24h");
  await sleep(600);
  process.kill(-(pid ?? 0), "SIGSTOP");
  const paused = sleep(pauseMs);
  const second = await startCli(["serve", "--port", "0", "--upstream", witness.url], { cwd: world.directory })
    .ended;
  if (second.code !== 2 || !second.stderr.includes(`process ${pid}`)) {
    history.violations.push(
      `I2 a second server was not refused (${second.code}): ${second.stderr.slice(-200)}`,
    );
  }
  await paused;
  process.kill(-(pid ?? 0), "SIGCONT");
  await server.stop();
  const { violations, repeats, lines } = await world.finish(0);
  if (violations.length === 0) world.remove();
  return { counts: { pauses: 1, lines, repeated: repeats }, violations };
}
