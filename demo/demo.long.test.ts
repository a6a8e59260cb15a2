import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("the demo runs its sentences through the model and finds the nearest one", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "demo.ts")]);
  const [nearest = ""] = stdout.match(/^ {2}\d\.\d\d {2}.*$/m) ?? [];
  expect(nearest).toMatch(/Those who seek to please everybody please nobody\.$/);
});
