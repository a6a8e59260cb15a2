import { expect, test, vi } from "vitest";
import { expectSound } from "../support/part.ts";
import { pointsPart } from "./points.ts";
import { runScript } from "./scripts/run.ts";
import { serveScript } from "./scripts/serve.ts";

// Each round starts three processes.
vi.setConfig({ testTimeout: 120_000 });

/** Some of about 330 calls of the run and 400 of the server that change files; `npm run test:crash` takes them all. */
test.for([
  ["kill", [4, 240, 290]],
  ["power", [235, 262, 310]],
  ["names", [220, 300]],
  ["torn", [190]],
] as const)("nerif run survives its end at some of its calls: %s", async ([mode, rounds], context) => {
  const counts = await expectSound(pointsPart(runScript, mode), { context, rounds });
  expect(counts.points).toBe(rounds.length);
});

test.for([
  ["kill", [320]],
  ["power", [200, 330]],
] as const)("nerif serve survives its end at some of its calls: %s", async ([mode, rounds], context) => {
  const counts = await expectSound(pointsPart(serveScript, mode), { context, rounds });
  expect(counts.points).toBe(rounds.length);
});
