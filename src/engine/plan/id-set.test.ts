import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ByteRange } from "./half-siphash.ts";
import { createIdSet } from "./id-set.ts";

const seed = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

describe("createIdSet()", () => {
  test("says of each id whether it is new, as a Set of strings does", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 }), { maxLength: 300 }), (ids) => {
        const set = createIdSet(seed);
        const lines = new Map<string, number>();
        for (const [line, id] of ids.entries()) {
          expect(set.add(range(id), line)).toBe(!lines.has(id));
          if (!lines.has(id)) lines.set(id, line);
          expect(set.linesOf(range(id))).toEqual([lines.get(id)]);
        }
        expect(set.size).toBe(lines.size);
      }),
      { numRuns: 200 },
    );
  });

  test("keeps a hundred thousand ids through all its growth", () => {
    const set = createIdSet(seed);
    const count = 100_000;
    const lines = Array.from({ length: count }, (_, line) => line);
    expect(lines.filter((line) => !set.add(range(`request-${line}`), line))).toEqual([]);
    expect(lines.flatMap((line) => set.linesOf(range(`request-${line}`)))).toEqual(lines);
    expect(set.linesOf(range("request-100000"))).toEqual([]);
  });

  test("names every line of ids that have one hash", () => {
    const set = createIdSet(seed);
    expect(set.add(range("a"), 0)).toBe(true);
    expect(set.add(range("a"), 1)).toBe(false);
    // As if line 2 had another id with the hash of "a".
    set.addBeside(range("a"), 2);
    for (let line = 3; line < 5_000; line += 1) set.add(range(`other-${line}`), line);
    expect(set.linesOf(range("a")).sort()).toEqual([0, 2]);
  });

  test("takes the highest line number that a plan can have", () => {
    const set = createIdSet(seed);
    set.add(range("a"), 0xffff_fffe);
    expect(set.linesOf(range("a"))).toEqual([0xffff_fffe]);
  });
});

function range(id: string): ByteRange {
  const bytes = Buffer.from(`"${id}"`);
  return { bytes, start: 1, end: bytes.length - 1 };
}
