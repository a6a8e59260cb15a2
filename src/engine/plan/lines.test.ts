import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { forEachLine } from "./lines.ts";

interface Seen {
  line: number;
  offset: number;
  /** The text, or the length of a line that is too long. */
  is: string | number;
}

describe("forEachLine()", () => {
  test("finds what a slow reference finds, however the bytes are cut into chunks", async () => {
    // Single bytes that matter, a BOM in one piece, and lines around the limit.
    const piece = fc.constantFrom(
      "\n",
      "\n",
      "\r\n",
      "\r",
      " ",
      "\t",
      "\0",
      "a",
      "é",
      "\ufeff",
      "x".repeat(9),
    );
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.from(pieces.join("")));
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(text, cuts, fc.nat(12), async (bytes, at, maxLineBytes) => {
        expect(await collect(chunksOf(bytes, at), { maxLineBytes })).toEqual(reference(bytes, maxLineBytes));
      }),
      { numRuns: 1_000 },
    );
  });

  test("gives offsets at which the file has the line", async () => {
    const bytes = Buffer.from('\ufeff{"a":1}\r\n\n  \n{"b":"é"}\n{"c":3}');
    expect(await collect(chunksOf(bytes, [2, 5, 18]), { maxLineBytes: 100 })).toEqual([
      { line: 1, offset: 3, is: '{"a":1}' },
      { line: 4, offset: 16, is: '{"b":"é"}' },
      { line: 5, offset: 27, is: '{"c":3}' },
    ]);
  });

  test("counts offsets beyond 4 GiB", async () => {
    const start = 2 ** 32 - 3;
    expect(await collect(chunksOf(Buffer.from("ab\ncd\n"), [4]), { maxLineBytes: 10, start })).toEqual([
      { line: 1, offset: start, is: "ab" },
      { line: 2, offset: start + 3, is: "cd" },
    ]);
  });

  test("keeps a BOM that is not at the start of the file", async () => {
    const bytes = Buffer.from("\ufeffa\n");
    expect(await collect(chunksOf(bytes, []), { maxLineBytes: 10, start: 7 })).toEqual([
      { line: 1, offset: 7, is: "\ufeffa" },
    ]);
  });

  test("holds no bytes of a line that is too long", async () => {
    const chunk = Buffer.alloc(1024 * 1024, "x");
    let before = 0;
    async function* source(): AsyncGenerator<Buffer> {
      before = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 300; i += 1) yield Buffer.from(chunk);
      yield Buffer.from("\nshort");
    }
    let peak = 0;
    const seen: Seen[] = [];
    await forEachLine(source(), {
      maxLineBytes: 1024,
      afterChunk: () => {
        peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
      },
      ...collector(seen),
    });
    expect(seen).toEqual([
      { line: 1, offset: 0, is: 300 * 1024 * 1024 },
      { line: 2, offset: 300 * 1024 * 1024 + 1, is: "short" },
    ]);
    expect(peak).toBeLessThan(200 * 1024 * 1024);
  });

  test("stops reading and closes the source when a handler has seen enough", async () => {
    let read = 0;
    let closed = false;
    async function* source(): AsyncGenerator<Buffer> {
      try {
        for (; read < 10; read += 1) yield Buffer.from("a\nb\n");
      } finally {
        closed = true;
      }
    }
    const seen: string[] = [];
    await forEachLine(source(), {
      maxLineBytes: 10,
      onLine: (bytes) => seen.push(bytes.toString()) < 3,
      onTooLong: () => true,
    });
    expect({ seen, read, closed }).toEqual({ seen: ["a", "b", "a"], read: 1, closed: true });
  });

  test("waits for what a handler does after a chunk before it reads on", async () => {
    const events: string[] = [];
    async function* source(): AsyncGenerator<Buffer> {
      for (const name of ["a\n", "b\n"]) {
        events.push(`read ${name.trim()}`);
        yield Buffer.from(name);
      }
    }
    await forEachLine(source(), {
      maxLineBytes: 10,
      onLine: (bytes) => events.push(`line ${bytes}`) > 0,
      onTooLong: () => true,
      afterChunk: async () => {
        await new Promise(setImmediate);
        events.push("after");
      },
    });
    expect(events).toEqual(["read a", "line a", "after", "read b", "line b", "after", "after"]);
  });
});

async function collect(
  source: AsyncIterable<Buffer>,
  options: { maxLineBytes: number; start?: number },
): Promise<Seen[]> {
  const seen: Seen[] = [];
  await forEachLine(source, { ...options, ...collector(seen) });
  return seen;
}

function collector(seen: Seen[]) {
  return {
    onLine: (bytes: Buffer, offset: number, line: number) =>
      seen.push({ line, offset, is: bytes.toString() }) > 0,
    onTooLong: (offset: number, length: number, line: number) => seen.push({ line, offset, is: length }) > 0,
  };
}

async function* chunksOf(bytes: Buffer, cuts: number[]): AsyncGenerator<Buffer> {
  const places = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  for (const [i, place] of [0, ...places].entries()) yield bytes.subarray(place, places[i] ?? bytes.length);
}

/** Line by line on the whole text, without chunks. */
function reference(bytes: Buffer, maxLineBytes: number): Seen[] {
  const seen: Seen[] = [];
  const lines = bytes.toString("latin1").split("\n");
  if (lines.at(-1) === "") lines.pop();
  let offset = 0;
  for (const [i, raw] of lines.entries()) {
    const start = i === 0 && raw.startsWith("\u00ef\u00bb\u00bf") ? 3 : 0;
    const content = raw.slice(start).replace(/\r$/, "");
    if (content.length > maxLineBytes) {
      // A line far beyond the limit is not looked into, so its BOM and carriage return count.
      const far = raw.length > maxLineBytes + 4;
      const length = far ? raw.length : content.length;
      seen.push({ line: i + 1, offset: far ? offset : offset + start, is: length });
    } else if (!/^[ \t\r]*$/.test(content)) {
      seen.push({ line: i + 1, offset: offset + start, is: Buffer.from(content, "latin1").toString() });
    }
    offset += raw.length + 1;
  }
  return seen;
}
