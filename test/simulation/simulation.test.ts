import { expect, test } from "vitest";
import { runMain } from "./fleet.ts";
import { regressionSeeds } from "./regression-seeds.ts";

/*
 * The worlds take over the clocks, timers and files of their process, so they run in one of their own. What they
 * say about a seed that fails, with the command that repeats it, comes out on stderr.
 */

/** Another range can be asked for; a failure names its seeds in any case. */
const from = Number(process.env.NERIF_SIMULATION_FROM ?? 0);

test("seeds that failed once hold all promises", async () => {
  const { seeds, failures } = await runMain(["--only", regressionSeeds.join(",")]);
  expect(failures).toEqual([]);
  expect(seeds).toBe(regressionSeeds.length);
});

test("a range of seeds holds all promises, and the same seed does the same twice", async () => {
  // On a slow machine fewer of them.
  const { seeds, failures, repeated } = await runMain([
    "--from",
    String(from),
    "--seeds",
    "150",
    "--seconds",
    "8",
  ]);
  expect(failures).toEqual([]);
  expect(seeds).toBeGreaterThan(0);
  expect(repeated).toBeGreaterThan(0);
});

test("a broken promise is noticed", async () => {
  const broken = ["--mutation", "no sync of a file's name", "--stop-at-first"];
  const { failures } = await runMain([...broken, "--seeds", "20"]);
  expect(failures).toHaveLength(1);
});
