import { describe, expect, test } from "vitest";
import { limits } from "../../batch/limits.ts";
import { checkRequestLine } from "../../batch/request-line.ts";
import type { FileReader } from "../../files/file-store.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import { createDuplicateCheck } from "./duplicates.ts";
import { createIdSet, type IdSet } from "./id-set.ts";
import { forEachLine } from "./lines.ts";

describe("createDuplicateCheck()", () => {
  test("takes ids that only have one hash for what they are", async () => {
    const { repeated, reads } = await check(["a", "b", "c", "b", "a", "d", "\\u0061", "d"], oneHash());
    expect(repeated).toEqual([4, 5, 7, 8]);
    expect(reads).toBeGreaterThan(0);
  });

  test("reads nothing again while no hash hits", async () => {
    const ids = Array.from({ length: 3_000 }, (_, i) => `row-${i}`);
    expect(await check(ids, createIdSet(Buffer.alloc(8)))).toEqual({ repeated: [], reads: 0, readBytes: 0 });
  });

  test("reads nothing for duplicates that nobody is told of any more", async () => {
    const ids = Array.from({ length: 3_000 }, () => "same");
    const { repeated, reads } = await check(ids, createIdSet(Buffer.alloc(8)));
    expect(repeated).toHaveLength(2_999);
    expect(reads).toBe(limits.reportedErrors);
  });

  test("reads no more than a short stretch for a line in the middle of a large file", async () => {
    const ids = [...Array.from({ length: 100 }, (_, i) => `row-${i}`), "row-50"];
    const { repeated, readBytes } = await check(ids, createIdSet(Buffer.alloc(8)), 100_000);
    expect(repeated).toEqual([101]);
    expect(readBytes).toBeLessThan(600_000);
  });
});

/** A set in which every id has the same hash. */
function oneHash(): IdSet {
  const lines: number[] = [];
  return {
    add: (_id, line) => lines.length === 0 && lines.push(line) > 0,
    linesOf: () => [...lines],
    addBeside: (_id, line) => void lines.push(line),
    get size() {
      return lines.length;
    },
  };
}

async function check(ids: string[], set: IdSet, padding = 0) {
  const lines = ids.map((id) => `{"custom_id":"${id}","body":{"x":"${"x".repeat(padding)}"}}\n`);
  const files = createMemoryFileStore();
  const writer = await files.create("input");
  await writer.write([Buffer.from(lines.join(""))]);
  await writer.commit();
  const input = counting(await files.open("input"));
  const duplicates = createDuplicateCheck({ input: input.reader, maxLineBytes: 1024 * 1024, ids: set });
  let line = 0;
  const repeated: number[] = [];
  await forEachLine((await files.open("input")).stream(), {
    maxLineBytes: 1024 * 1024,
    onLine(bytes, offset, physicalLine) {
      const place = { line: line++, offset, physicalLine };
      duplicates.mark(place);
      const found = checkRequestLine(bytes);
      if (!found.ok && found.id !== null) duplicates.add(place, bytes, found.id);
    },
    onTooLong() {},
    async afterChunk() {
      repeated.push(...(await duplicates.settle()));
    },
  });
  return { repeated, ...input.counts() };
}

function counting(inner: FileReader) {
  let reads = 0;
  let readBytes = 0;
  const reader: FileReader = {
    ...inner,
    stream(range = { start: 0, end: inner.bytes }) {
      reads += 1;
      readBytes += range.end - range.start;
      return inner.stream(range);
    },
  };
  return { reader, counts: () => ({ reads, readBytes }) };
}
