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
    { part: serveKills, count: 3 },
    { part: runKills, count: 3 },
    { part: powerCuts, count: 1 },
    { part: fullDisks, count: 1 },
    { part: bitFlips, count: 150 },
    { part: clockJumps, count: 1 },
    { part: takeovers, count: 1 },
    { part: memoryLimits, count: 1 },
  ])("$part.name: no promise is broken", async ({ part, count }, context) => {
    const rounds = Array.from({ length: count }, (_, index) => index);
    await expectSound(part, { context, rounds, seed: 2 });
  });

  /** Every so many calls of the run, half as many of the server, until they come to their ends by themselves. */
  test.for<[PointMode, number]>([
    ["kill", 60],
    ["torn", 90],
    ["power", 50],
    ["names", 80],
    ["sync-eio", 16],
    ["write-eio", 90],
    ["short", 90],
    ["full", 90],
  ])("calls that change files, %s: no promise is broken", async ([mode, stride], context) => {
    for (const [script, step] of [
      [runScript, stride],
      [serveScript, 2 * stride],
    ] as const) {
      const rounds = Array.from({ length: 12 }, (_, i) => i * step + (i % 7));
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
