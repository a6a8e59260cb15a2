import { expect, test } from "vitest";
import { type Journal, type JournalEntry, recordKinds } from "../../journal/journal.ts";
import { createMemoryJournal } from "../../journal/memory.ts";
import { createArenaPool } from "../plan/arena.ts";
import type { PlanRecord } from "../plan/plan.ts";
import { indexShard } from "../plan/shard-index.ts";
import { createOpenSegments } from "./open-segments.ts";
import { createResultMemory, createResultWindow } from "./result-window.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";
const mebibyte = 1024 * 1024;

test("results are read with what lies between them, up to the gap that costs as much as a read", async () => {
  const { journal, reads } = await journalWith([0, 1, 2, 3, 4, 5], 100, { gapBytes: 150 });
  const places = await placesIn(journal);
  const segments = createOpenSegments({ batchId, journal });
  const seen: string[] = [];
  // In this order; line 1 lies in between and is read along, lines 3 and 4 are too much.
  await segments.read([places(5), places(2), places(0)], (nth, bytes) => {
    seen[nth] = bytes.toString();
  });
  expect(seen).toEqual([text(5, 100), text(2, 100), text(0, 100)]);
  expect(reads).toEqual([3 * 100 + 2 * 16, 100]);
  await segments.close();
});

test("a shard that is too large for memory is read some lines at a time, whatever their order in the journal", async () => {
  // The first line came last, as one does that had to be tried again.
  const { journal, reads, size } = await journalWith([1, 2, 3, 4, 5, 6, 7, 0], mebibyte / 4, { gapBytes: 0 });
  const index = await indexShard(
    { batchId, shard: 0, segments: [{ epoch: 1, bytes: size }] },
    { journal, arena: null },
  );
  const segments = createOpenSegments({ batchId, journal });
  const memory = createResultMemory();
  // As many shards as leave the least for each.
  const others = Array.from({ length: 200 }, () => memory.takeShare());
  const records = Array.from({ length: 8 }, (_, line) => ({ line }) as PlanRecord);
  const window = createResultWindow({
    ...{ shard: 0, records, index, memory, segments, pool: createArenaPool() },
  });
  const held = () => [...index.results].filter(([, { payload }]) => payload !== null).map(([line]) => line);

  expect(await window.moveTo(0)).toBe(4);
  expect(held().sort()).toEqual([0, 1, 2, 3]);
  expect(index.results.get(0)?.payload?.toString()).toBe(text(0, mebibyte / 4));
  // It lies by itself, and the others one after another, though not in one piece with a gap of nothing.
  expect(reads).toHaveLength(4);
  expect(await window.moveTo(4)).toBe(8);
  expect(held().sort()).toEqual([4, 5, 6, 7]);
  expect(index.results.get(7)?.payload?.toString()).toBe(text(7, mebibyte / 4));
  window.release();
  expect(held()).toEqual([]);
  for (const share of others) share.release();
  await segments.close();
});

test("shards share what is left of memory, and none is there as a whole because there happened to be some room", () => {
  const memory = createResultMemory();
  const first = memory.takeWhole(60 * mebibyte);
  expect(first).not.toBeNull();
  expect(memory.takeWhole(5 * mebibyte)).toBeNull();
  const [one, two] = [memory.takeShare(), memory.takeShare()];
  expect([one.bytes, two.bytes]).toEqual([18 * mebibyte, 18 * mebibyte]);
  first?.release();
  two.release();
  expect(one.bytes).toBe(96 * mebibyte);
  expect(memory.takeWhole(5 * mebibyte)).not.toBeNull();
});

/** Lines of one segment in the order of their answers, and the lengths of all reads by position. */
async function journalWith(lines: number[], bytes: number, { gapBytes }: { gapBytes: number }) {
  const memory = createMemoryJournal();
  const writer = await memory.create<JournalEntry>({ batchId, shard: 0, epoch: 1 }, () => {});
  for (const line of lines) {
    const payload = [Buffer.from(text(line, bytes))];
    writer.append({ line, kind: recordKinds.output, attempts: 1, payload });
  }
  const size = await writer.close();
  const reads: number[] = [];
  const journal: Journal = {
    ...memory,
    gapBytes,
    async open(id) {
      const segment = await memory.open(id);
      return {
        ...segment,
        read(offset, length) {
          reads.push(length);
          return segment.read(offset, length);
        },
      };
    },
  };
  return { journal, reads, size };
}

async function placesIn(journal: Journal) {
  const found = new Map<number, { offset: number; length: number }>();
  await journal.scan({ batchId, shard: 0, epoch: 1 }, null, ({ line, offset, payload }) => {
    found.set(line, { offset, length: payload.length });
  });
  return (line: number) => ({ shard: 0, epoch: 1, ...(found.get(line) ?? { offset: 0, length: 0 }) });
}

function text(line: number, bytes: number): string {
  return String(line).repeat(bytes);
}
