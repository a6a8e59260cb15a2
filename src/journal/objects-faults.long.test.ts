import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { type S3Fault, startS3 } from "../../test/support/s3.ts";
import { NerifError } from "../batch/errors.ts";
import { type JournalEntry, recordKinds, type SegmentId } from "./journal.ts";
import { createObjectJournal, type ObjectJournal } from "./objects.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";
const shards = 3;
const holders = 6;

it.each([1, 2, 3, 4, 5, 6])(
  "holders that are dropped one after another, on a network that loses and delays, leave each durable line once (seed %i)",
  async (seed) => {
    const random = seeded(seed);
    const server = await startS3();
    server.fault = async () => {
      // What was sent by a holder may arrive after the next one has looked.
      await sleep(random() * 12);
      const faults: S3Fault[] = ["refuse", "lose", "lose-answer", "lose-answer"];
      return random() < 0.2 ? (faults[Math.floor(random() * faults.length)] ?? null) : null;
    };
    const noted = new Map<string, number>();
    const durable: string[] = [];
    let nextLine = 0;

    for (let epoch = 1; epoch <= holders; epoch += 1) {
      const bucket = await server.open({ maxAttempts: 4 });
      // Half of them write in pieces what they keep.
      const keptBytes = seed % 2 === 0 ? 4_000 : 64 * 1024 * 1024;
      const journal = createObjectJournal({ bucket, flushIntervalMs: 1, retryMs: 1, keptBytes });
      await insist(() => note(journal, epoch, noted));
      const writers = await Promise.all(
        Array.from({ length: shards }, (_, shard) =>
          insist(() =>
            journal.create<JournalEntry>(segment(shard, epoch), (entries) => {
              for (const { line } of entries) durable.push(`${shard}:${line}`);
            }),
          ),
        ),
      );
      for (let turn = 0; turn < 10 + random() * 30; turn += 1) {
        const writer = writers[Math.floor(random() * shards)];
        const payload = [Buffer.alloc(1 + random() * 2_000, "x")];
        writer?.append({ line: nextLine, kind: recordKinds.output, attempts: 1, payload });
        nextLine += 1;
        await sleep(random() * 8);
      }
      // Some give a shard back in good order; the others are gone in the middle of what they do.
      if (random() < 0.5) noted.set(`0-${epoch}`, (await writers[0]?.close()) ?? 0);
      journal.close();
    }

    const reader = createObjectJournal({ bucket: await server.open() });
    await insist(() => note(reader, holders + 1, noted));
    server.fault = () => null;
    await sleep(100);
    const found: string[] = [];
    for (const [name, end] of noted) {
      const [shard = 0, epoch = 0] = name.split("-").map(Number);
      const lines: number[] = [];
      if (end === 0) continue;
      const report = await reader.scan(segment(shard, epoch), end, ({ line }) => lines.push(line));
      expect(report).toMatchObject({ soundBytes: end, damaged: [] });
      expect(lines).toEqual(lines.toSorted((a, b) => a - b));
      found.push(...lines.map((line) => `${shard}:${line}`));
    }
    expect(new Set(found).size).toBe(found.length);
    expect(found).toEqual(expect.arrayContaining(durable));
    expect(durable.length).toBeGreaterThan(20);
  },
);

/** What a new holder does with what older ones have left: says once and for all how far it counts. */
async function note(journal: ObjectJournal, below: number, noted: Map<string, number>): Promise<void> {
  for (let shard = 0; shard < shards; shard += 1) {
    const there = await journal.epochs(batchId, shard);
    for (let epoch = 1; epoch < below; epoch += 1) {
      const name = `${shard}-${epoch}`;
      if (noted.has(name)) continue;
      const report = there.includes(epoch) ? await journal.scan(segment(shard, epoch), null, () => {}) : null;
      noted.set(name, report?.records ? report.soundBytes : 0);
    }
  }
}

/** As the engine does: storage that does not answer is asked again. */
async function insist<T>(step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step();
    } catch (reason) {
      if (!(reason instanceof NerifError) || reason.code !== "storage_unavailable") throw reason;
    }
  }
}

function segment(shard: number, epoch: number): SegmentId {
  return { batchId, shard, epoch };
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
