import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type Fault, faultEnvironment, faultsUnavailable } from "./faults/preload.ts";
import { createRunWorld } from "./oracle/run-world.ts";
import { startWitness } from "./oracle/witness.ts";

vi.setConfig({ testTimeout: 60_000 });

/** Every kind of sync in the life of a run, by the end of the path. */
test.for([
  ["the directory of all journals", { suffix: "/journal", calls: ["fsync"] }],
  ["a segment", { suffix: ".seg", calls: ["fdatasync"] }],
  ["the log of the database", { suffix: "nerif.db-wal", calls: ["fsync"] }],
  ["the directory of the output", { suffix: "/work", calls: ["fsync"] }],
] satisfies [string, Partial<Fault>][])(
  "nerif run stops when a sync of %s fails, and loses nothing",
  async ([_name, where], context) => {
    const reason = faultsUnavailable();
    if (reason !== null) context.skip(reason);
    const directory = mkdtempSync(join(tmpdir(), "nerif-syncs-"));
    const witness = await startWitness({ directory });
    try {
      const world = createRunWorld({
        ...{ directory: join(directory, "work"), witness, name: "x", lines: 12, concurrency: 3 },
      });
      const fault = { root: world.directory, action: "eio", at: 1, ...where } as const;
      const { code, stderr } = await world.start(faultEnvironment(fault)).ended;
      expect(code, stderr).not.toBe(0);
      expect(stderr).toMatch(/EIO|the disk failed/);
      expect((await world.finish(6)).violations).toEqual([]);
    } finally {
      await witness.stop();
      rmSync(directory, { recursive: true });
    }
  },
);
