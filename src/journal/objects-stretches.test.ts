import { describe, expect, it } from "vitest";
import { createStretchMemory } from "./objects-stretches.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";
const otherBatchId = "batch_ffffffffffffffffffffffffffffffff";
const bytes = Buffer.alloc(1_000, 7);

const segment = (shard: number, of = batchId) => ({ batchId: of, shard, epoch: 1 });

/** Room for four stretches, with what keeping them takes. */
function fourAtMost() {
  const memory = createStretchMemory(4 * 1_512);
  const kept = () => [0, 1, 2, 3, 4, 5, 6, 7].filter((shard) => memory.find(segment(shard), "log") !== null);
  return { memory, kept };
}

describe("the memory of stretches", () => {
  it("keeps what lies next behind what is read, whatever came first", () => {
    const { memory, kept } = fourAtMost();
    const ended = memory.reading(segment(1));
    for (const shard of [0, 7, 1, 5, 2, 6, 3]) memory.add(segment(shard), "log", bytes);
    expect(kept()).toEqual([1, 2, 3, 5]);
    expect(memory.wants(segment(4))).toBe(true);
    expect(memory.wants(segment(6))).toBe(false);
    expect(memory.wants(segment(0))).toBe(false);
    ended();
    memory.reading(segment(3));
    memory.add(segment(6), "log", bytes);
    memory.add(segment(7), "log", bytes);
    // What was passed went first.
    expect(kept()).toEqual([3, 5, 6, 7]);
  });

  it("counts from the first of those that are read at the same time", () => {
    const { memory, kept } = fourAtMost();
    const ended = memory.reading(segment(2));
    memory.reading(segment(5));
    for (const shard of [7, 5, 4, 3, 2]) memory.add(segment(shard), "log", bytes);
    expect(kept()).toEqual([2, 3, 4, 5]);
    ended();
    memory.add(segment(6), "log", bytes);
    expect(kept()).toHaveLength(4);
    expect(kept().slice(-2)).toEqual([5, 6]);
  });

  it("gives what nobody reads any more away for another batch", () => {
    const { memory, kept } = fourAtMost();
    const ended = memory.reading(segment(0));
    for (const shard of [0, 1, 2, 3]) memory.add(segment(shard), "log", bytes);
    ended();
    expect(kept()).toEqual([0, 1, 2, 3]);
    memory.reading(segment(0, otherBatchId));
    memory.add(segment(0, otherBatchId), "log", bytes);
    expect(kept()).toHaveLength(3);
    expect(memory.find(segment(0, otherBatchId), "log")?.equals(bytes)).toBe(true);
  });

  it("keeps a copy, since what it came with is used again", () => {
    const { memory } = fourAtMost();
    const given = Buffer.alloc(10, 1);
    memory.add(segment(0), "log", given);
    given.fill(2);
    expect(memory.find(segment(0), "log")?.[0]).toBe(1);
  });
});
