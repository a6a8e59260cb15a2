import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createDiskJournal } from "../../src/journal/disk.ts";

const appender = fileURLToPath(new URL("../fixtures/journal-appender.ts", import.meta.url));
const batchId = "batch_0123456789abcdef0123456789abcdef";
const root = await mkdtemp(join(tmpdir(), "nerif-kill-"));

afterAll(() => rm(root, { recursive: true, force: true }));

describe("disk journal", () => {
  it("holds every acknowledged record, once and unchanged, after each kill -9", async () => {
    const journal = createDiskJournal({
      directory: root,
      onFatal(error) {
        throw error;
      },
    });
    for (let epoch = 1; epoch <= 6; epoch += 1) {
      const acknowledged = await killAfter(epoch * 150, epoch);
      for (let shard = 0; shard < 3; shard += 1) {
        const lines: number[] = [];
        const report = await journal.scan({ batchId, shard, epoch }, null, ({ line, payload }) => {
          lines.push(line);
          const head = `${shard}/${line}/`;
          const letter = 97 + (line % 26);
          expect(payload.subarray(0, head.length).toString()).toBe(head);
          expect(payload.subarray(head.length).every((byte) => byte === letter)).toBe(true);
        });
        // Appended in order, so what is there must be the first records without a gap, at least to the last one
        // acknowledged.
        expect(lines).toEqual(lines.map((_, index) => index));
        expect(lines.length).toBeGreaterThan(acknowledged.get(shard) ?? -1);
        expect(report.damaged).toEqual([]);
      }
      expect([...acknowledged.keys()].sort()).toEqual([0, 1, 2]);
    }
  });
});

/** Runs an appender until it has acknowledged `records` records, and some of each shard. Returns the last line acknowledged per shard. */
async function killAfter(records: number, epoch: number): Promise<Map<number, number>> {
  const child = spawn(process.execPath, [appender, root, batchId, String(epoch)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const last = new Map<number, number>();
  let count = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [shard, index] = line.split(" ").map(Number);
    if (shard === undefined || index === undefined) continue;
    // The last word of a killed process may be cut off in its middle; it was not said then.
    if (index === (last.get(shard) ?? -1) + 1) last.set(shard, index);
    count += 1;
    if (count >= records && last.size === 3) child.kill("SIGKILL");
  }
  return last;
}
