import { expect, test } from "vitest";
import type { Shard } from "../control/control-store.ts";
import { recordKinds } from "../journal/journal.ts";
import { createKeptResults } from "./kept-results.ts";
import type { OpenSegments } from "./open-segments.ts";

test("the results that the lines of a run get are read together, each once, and those of the next run that it has not", async () => {
  const { segments, reads } = counted();
  const kept = keptOf(4, 10, segments);
  const first = await kept.read([2, 0, 2, 3]);
  expect(first.map((result) => result?.payload[0])).toEqual([2, 0, 2, null].map((rank) => rank ?? undefined));
  expect(reads).toEqual([[2, 0]]);
  await kept.read([1, 2]);
  expect(reads).toEqual([[2, 0], [1]]);
});

test("no more results are in memory than fit, and one is however large it is", async () => {
  const { segments, reads } = counted();
  const kept = keptOf(4, 5 * 1024 * 1024, segments);
  expect(await kept.read([0, 0, 1])).toHaveLength(2);
  expect(await kept.read([1])).toHaveLength(1);
  // The first had to go for the second.
  await kept.read([0]);
  expect(reads).toEqual([[0], [1], [0]]);
});

/** Results of all ranks but the last, each of so many bytes. */
function keptOf(count: number, bytes: number, segments: OpenSegments) {
  const kept = createKeptResults(count, segments);
  for (let rank = 0; rank < count - 1; rank += 1) {
    const result = { kind: recordKinds.output, epoch: 1, offset: rank, length: bytes, payload: null };
    kept.note(rank, { shard: 0 } as Shard, result);
  }
  return kept;
}

/** Segments whose bytes say where they were, and the offsets of each reading. */
function counted() {
  const reads: number[][] = [];
  const segments: OpenSegments = {
    async read(places, onResult) {
      if (places.length > 0) reads.push(places.map(({ offset }) => offset));
      for (const [nth, { offset, length }] of places.entries()) onResult(nth, Buffer.alloc(length, offset));
    },
    close: async () => {},
  };
  return { segments, reads };
}
