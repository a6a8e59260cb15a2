import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runMain } from "./fleet.ts";
import { slowRegressionSeeds } from "./regression-seeds.ts";
import { mutations } from "./substitutes/mutations.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Each runs in a process of its own, several at a time. */
describe.concurrent("the simulation", () => {
  test("holds all promises in two thousand seeds, or as many as a minute has room for", async () => {
    const { failures, seeds } = await runMain(["--from", "1000000", "--seeds", "2000", "--seconds", "60"]);
    expect(failures).toEqual([]);
    expect(seeds).toBeGreaterThan(0);
  });

  test("agrees with the model about a thousand lists of commands", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [main, "--models", "1000", "--from", "7"]);
    expect(stdout).toMatch(/^1000 lists of commands/);
  });

  test("holds all promises in the seeds that failed once and take long", async () => {
    const { failures } = await runMain(["--only", slowRegressionSeeds.join(",")]);
    expect(failures).toEqual([]);
  });

  test.each(Object.entries(mutations))("notices a broken promise: %s", async (name, { seed }) => {
    // As a rule one of the first shows it; where sources have changed, other worlds stand behind the numbers.
    const range = ["--from", String(seed), "--seeds", "4000", "--stop-at-first"];
    const { failures } = await runMain(["--mutation", name, ...range]);
    expect(failures).toHaveLength(1);
  });
});
