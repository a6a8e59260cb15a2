import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { runMain } from "./fleet.ts";
import { mutations } from "./substitutes/mutations.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

test("two thousand seeds hold all promises", async () => {
  const { failures, seeds } = await runMain(["--from", "1000000", "--seeds", "2000", "--seconds", "60"]);
  expect(failures).toEqual([]);
  expect(seeds).toBeGreaterThan(0);
});

test("a thousand lists of commands agree with the model", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [main, "--models", "1000", "--from", "7"]);
  expect(stdout).toMatch(/^1000 lists of commands/);
});

test.each(Object.keys(mutations))("%s: the simulation notices", async (name) => {
  const { failures } = await runMain(["--mutation", name, "--from", "3000", "--seeds", "400"]);
  expect(failures.length).toBeGreaterThan(0);
});
