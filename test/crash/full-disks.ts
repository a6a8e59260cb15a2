import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isFinal } from "../../src/batch/lifecycle.ts";
import { mountsUnavailable, mountTmpfs, unmount } from "./oracle/mounts.ts";
import { knownFile } from "./oracle/requests.ts";
import { createServeWorld, type ServeWorld } from "./oracle/serve-world.ts";
import type { Witness } from "./oracle/witness.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 8;
const fillsPerRound = 5;

/** A round: a server on a small disk, which somebody else fills and empties five times while a batch runs. */
export const fullDisks = witnessedPart({
  name: "full-disks",
  title:
    "nerif serve on a tmpfs of 16 MiB that is filled to its last byte and emptied again while a batch runs; 5 a round",
  rounds: 20,
  unavailable: mountsUnavailable,
  witness: { latency: "lognormal:30ms,0.6" },
  round,
});

async function round(options: RoundOptions): Promise<Round> {
  const { directory, witness, name, seed, random } = options;
  const world = createServeWorld({ directory, witness, concurrency, seed });
  const { server, driver, history } = world;
  mountTmpfs(world.directory, "16m");
  try {
    await server.start();
    const file = await driver.upload(knownFile(name, 4_000));
    const batch = file && (await driver.create(file.id, "24h"));
    if (batch === null) return { counts: {}, violations: ["I1 the file of the round was not taken"] };
    const resumed: number[] = [];
    let refused = 0;
    for (let fill = 0; fill < fillsPerRound; fill += 1) {
      await sleep(100 + random() * 400);
      const filler = join(world.directory, "filler");
      fillUp(filler);
      // Larger than what the last free block could take.
      if ((await driver.upload(knownFile(`${name}-full-${fill}`, 50))) === null) refused += 1;
      await sleep(random() * 1_500);
      rmSync(filler);
      const ms = await untilMore(world, witness, batch.id);
      if (ms === null) history.violations.push(`I9 nothing went on after fill ${fill}`);
      else resumed.push(ms);
    }
    const code = await server.stop();
    if (code !== 0) history.violations.push(`I9 the server ended with ${code}`);
    const { violations, repeats, lines } = await world.finish(2 * concurrency);
    return {
      counts: { fills: fillsPerRound, "uploads refused": refused, lines, repeated: repeats },
      samples: { "room to next call, ms": resumed },
      violations,
    };
  } finally {
    await server.kill();
    unmount(world.directory);
    world.remove();
  }
}

function fillUp(path: string): void {
  const file = openSync(path, "w");
  try {
    for (const size of [1024 * 1024, 4_096]) {
      const bytes = Buffer.alloc(size);
      try {
        for (;;) writeSync(file, bytes);
      } catch {
        // Full: on with smaller pieces.
      }
    }
  } finally {
    closeSync(file);
  }
}

/** How long it took until the next call, or 0 when the batch is final; null: there was none. */
async function untilMore({ driver }: ServeWorld, witness: Witness, id: string): Promise<number | null> {
  const from = Date.now();
  const before = witness.calls().length;
  while (Date.now() - from < 30_000) {
    if (witness.calls().length > before) return Date.now() - from;
    const seen = await driver.look(id);
    if (seen !== null && isFinal(seen.status)) return 0;
    await sleep(20);
  }
  return null;
}
