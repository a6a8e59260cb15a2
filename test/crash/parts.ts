import { backups } from "./backups.ts";
import { bitFlips } from "./bit-flips.ts";
import { clockJumps } from "./clock-jumps.ts";
import { clusterPart } from "./cluster.ts";
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
import { soak } from "./soak.ts";
import { takeovers } from "./takeovers.ts";
import { faultModeParts } from "./upstream-faults.ts";
import { mixedFaults } from "./upstream-faults-mixed.ts";

const modes: PointMode[] = ["kill", "torn", "power", "names", "sync-eio", "write-eio", "short", "full"];

/** Every part, in the order of the report. */
export const parts: Part[] = [
  serveKills,
  runKills,
  ...modes.map((mode) => pointsPart(runScript, mode)),
  ...modes.map((mode) => pointsPart(serveScript, mode)),
  ...(["kill", "power", "names"] as const).map((mode) => pointsPart(migrateScript, mode)),
  powerCuts,
  fullDisks,
  bitFlips,
  clockJumps,
  takeovers,
  clusterPart("directory"),
  clusterPart("s3"),
  memoryLimits,
  soak,
  backups(),
  ...faultModeParts(),
  mixedFaults("run"),
  mixedFaults("serve"),
];
