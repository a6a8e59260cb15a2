import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { faultsUnavailable, preload } from "./faults/preload.ts";
import { knownFile } from "./oracle/requests.ts";
import { createServeWorld } from "./oracle/serve-world.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 8;
const hour = 3_600;
const jumpsPerRound = 6;

/**
 * A round: the wall clock of a server jumps to and fro while batches run. Within their window nothing may come of
 * it, no call be repeated; a jump past the window ends the batch that is under way as expired.
 */
export const clockJumps = witnessedPart({
  name: "clock-jumps",
  title:
    "nerif serve whose wall clock jumps up to 12 hours to and fro while a batch runs, five times, and then two days ahead; the monotonic clock runs on",
  rounds: 10,
  unavailable: faultsUnavailable,
  witness: { latency: "lognormal:30ms,0.6" },
  round,
});

async function round(options: RoundOptions): Promise<Round> {
  const { directory, witness, name, seed, random } = options;
  const world = createServeWorld({ directory, witness, concurrency, seed });
  const { server, driver, history } = world;
  const clock = join(directory, "clock");
  const jump = (seconds: number) => writeFileSync(clock, String(Math.round(seconds)));
  jump(0);
  await server.start({ LD_PRELOAD: preload("clock"), NERIF_CLOCK_FILE: clock });

  const begin = async (lines: number, part: string) => {
    const file = await driver.upload(knownFile(`${name}-${part}`, lines));
    return (file && (await driver.create(file.id, "24h")))?.id ?? "";
  };
  const within = await begin(400, "within");
  for (let i = 1; i < jumpsPerRound; i += 1) {
    await sleep(100 + random() * 300);
    jump((random() * 24 - 12) * hour);
  }
  const status = await untilFinal(within);
  if (status !== "completed") history.violations.push(`I2 the batch within its window is ${status}`);

  jump(0);
  const beyond = await begin(2_000, "beyond");
  await sleep(500);
  jump(48 * hour);
  const late = await untilFinal(beyond);
  if (late !== "expired") history.violations.push(`I2 the batch past its window is ${late}`);

  const code = await server.stop();
  if (code !== 0) history.violations.push(`I9 the server ended with ${code}`);
  // What was in flight at the expiry was broken off, not repeated.
  const { violations, repeats, lines } = await world.finish(0);
  if (violations.length === 0) world.remove();
  return { counts: { jumps: jumpsPerRound, lines, repeated: repeats }, violations };

  async function untilFinal(id: string): Promise<string | undefined> {
    for (let waited = 0; waited < 30_000; waited += 50) {
      const seen = (await driver.look(id))?.status;
      if (seen === undefined || seen === "completed" || seen === "expired") return seen;
      await sleep(50);
    }
    return "still under way";
  }
}
