import { expect, test } from "vitest";
import type { Shard } from "../../control/control-store.ts";
import { recordKinds } from "../../journal/journal.ts";
import { createKeptResults } from "./kept-results.ts";
import type { OpenSegments } from "./open-segments.ts";

const mebibyte = 1024 * 1024;

test("results that lines far ahead need are read together with those of the first, each once, and none again", async () => {
  const { kept, note, reads } = start([2, 0, 2, 3, 1, 2]);
  for (const rank of [0, 1, 2]) note(rank, 10);
  const first = await kept.read({ first: 0, ranks: [2, 0, 2, 3] });
  expect(first.map((result) => result?.payload[0])).toEqual([2, 0, 2, undefined]);
  expect(await kept.read({ first: 4, ranks: [1, 2] })).toHaveLength(2);
  expect(reads).toEqual([[2, 0, 1]]);
});

test("one that was in memory when it was noted, and is needed soon, is not read at all", async () => {
  const { kept, note, reads } = start([0, 1, 2]);
  note(0, 10);
  await kept.read({ first: 0, ranks: [0] });
  const payload = Buffer.alloc(10, 1);
  note(1, 10, payload);
  payload.fill(9);
  note(2, 10);
  const rest = await kept.read({ first: 1, ranks: [1, 2] });
  expect(rest.map((result) => result?.payload[0])).toEqual([1]);
  expect((await kept.read({ first: 2, ranks: [2] }))[0]?.payload[0]).toBe(2);
  expect(reads).toEqual([[0], [2]]);
});

test("no more results are in memory than fit, and one is however large it is", async () => {
  const { kept, note, reads } = start([0, 0, 1, 2, 0, 1]);
  for (const rank of [0, 1, 2]) note(rank, rank === 2 ? 70 * mebibyte : 30 * mebibyte);
  expect(await kept.read({ first: 0, ranks: [0, 0, 1, 2] })).toHaveLength(3);
  expect(await kept.read({ first: 3, ranks: [2, 0, 1] })).toHaveLength(1);
  // The others had to go for it.
  expect(await kept.read({ first: 4, ranks: [0, 1] })).toHaveLength(2);
  expect(reads).toEqual([[0, 1], [2], [0, 1]]);
});

test("it looks ahead over the ends of blocks, and from the middle of one", async () => {
  const { kept, note, reads } = start([0, 1, 2, 3, 4, 5, 6, 7], 3);
  for (let rank = 0; rank < 8; rank += 1) note(rank, rank < 4 ? 20 * mebibyte : 10);
  expect(await kept.read({ first: 0, ranks: [0, 1, 2, 3] })).toHaveLength(3);
  expect(await kept.read({ first: 3, ranks: [3, 4, 5, 6, 7] })).toHaveLength(5);
  expect(reads).toEqual([
    [0, 1, 2],
    [3, 4, 5, 6, 7],
  ]);
});

/** Results for lines that need those of these ranks in turn; reads tell ranks, and bytes are the rank. */
function start(lines: number[], blockLines = 4) {
  const reads: number[][] = [];
  const segments: OpenSegments = {
    async read(places, onResult) {
      reads.push(places.map(({ offset }) => offset));
      for (const [nth, { offset, length }] of places.entries()) onResult(nth, Buffer.alloc(length, offset));
    },
    close: async () => {},
  };
  const upcoming = {
    blockLines,
    async block(nth: number) {
      const some = lines.slice(nth * blockLines, (nth + 1) * blockLines);
      return some.length === 0 ? null : Uint32Array.from(some);
    },
  };
  const kept = createKeptResults({ count: Math.max(...lines) + 1, segments, upcoming });
  const note = (rank: number, length: number, payload: Buffer | null = null) =>
    kept.note(rank, { shard: 0 } as Shard, {
      kind: recordKinds.output,
      epoch: 1,
      offset: rank,
      length,
      payload,
    });
  return { kept, note, reads };
}
