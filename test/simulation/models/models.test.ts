import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));

test("batches do what the contract says, whatever is done to them, and across deaths", async () => {
  // In a process of its own, as all simulation. What fails is shown with its commands and its seed.
  const { stdout } = await promisify(execFile)(process.execPath, [main, "--models", "60"]);
  expect(stdout).toMatch(/^60 lists of commands/);
});
