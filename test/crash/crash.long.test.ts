import { describe, expect, test } from "vitest";
import { expectSound } from "../support/part.ts";
import { bitFlips } from "./bit-flips.ts";
import { clockJumps } from "./clock-jumps.ts";
import { fullDisks } from "./full-disks.ts";
import { runKills } from "./kills-run.ts";
import { serveKills } from "./kills-serve.ts";
import { memoryLimits } from "./memory-limits.ts";
import type { Part } from "./part.ts";
import { type PointMode, pointsPart } from "./points.ts";
import { powerCuts } from "./power-cuts.ts";
import { migrateScript } from "./scripts/migrate.ts";
import { runScript } from "./scripts/run.ts";
import { serveScript } from "./scripts/serve.ts";
import { takeovers } from "./takeovers.ts";

/** The middle tier, of some minutes: a few rounds of each part. `npm run test:crash` runs all of them. */
describe("under faults", () => {
  test.for<{ part: Part; count: number }>([
    { part: serveKills, count: 4 },
    { part: runKills, count: 4 },
    { part: powerCuts, count: 2 },
    { part: fullDisks, count: 1 },
    { part: bitFlips, count: 200 },
    { part: clockJumps, count: 1 },
    { part: takeovers, count: 1 },
    { part: memoryLimits, count: 1 },
  ])("$part.name: no promise is broken", async ({ part, count }, context) => {
    const rounds = Array.from({ length: count }, (_, index) => index);
    await expectSound(part, { context, rounds, seed: 2 });
  });

  /** Every so many calls of about 330 of the run, 600 of the server, 110 of the migration. */
  test.for<[PointMode, number]>([
    ["kill", 40],
    ["torn", 60],
    ["power", 40],
    ["names", 60],
    ["sync-eio", 12],
    ["write-eio", 60],
    ["short", 60],
    ["full", 60],
  ])("calls that change files, %s: no promise is broken", async ([mode, stride], context) => {
    for (const script of [runScript, serveScript]) {
      const calls = script === runScript ? 330 : 500;
      const rounds = Array.from({ length: Math.ceil(calls / stride) }, (_, i) => i * stride + (i % 7));
      const counts = await expectSound(pointsPart(script, mode), { context, rounds });
      expect(counts.points).toBeGreaterThan(0);
    }
  });

  test("the migration of an old directory: no promise is broken", async (context) => {
    for (const mode of ["kill", "power"] as const) {
      await expectSound(pointsPart(migrateScript, mode), { context, rounds: [5, 25, 45, 60, 75, 90] });
    }
  });
});
