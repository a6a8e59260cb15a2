import { limits } from "../../batch/limits.ts";
import { checkRequestLine, type LineId, readString } from "../../batch/request-line.ts";
import type { FileReader } from "../../files/file-store.ts";
import type { ByteRange } from "./half-siphash.ts";
import type { IdSet } from "./id-set.ts";
import { forEachLine } from "./lines.ts";

/** Finds ids that a file has more than once without keeping them: where a hash hits, the lines are read again. */
export interface DuplicateCheck {
  /** Takes the id of the next line; ids that are in doubt wait for `settle`. */
  add(place: LinePlace, bytes: Buffer, id: LineId): void;
  /** Looks at the ids in doubt. Returns the physical numbers of the lines whose id is there before, ascending. */
  settle(): Promise<number[]>;
  /** Notes where a line begins. To be called for every line, in order. */
  mark(place: LinePlace): void;
}

export interface LinePlace {
  /** 0-based index among the requests. */
  line: number;
  /** In bytes. */
  offset: number;
  physicalLine: number;
}

interface Doubt {
  place: LinePlace;
  customId: string;
  /** The id's UTF-8, which is what is hashed. */
  utf8: ByteRange;
}

/** A line is found again from the nearest mark before it, which is at most so many lines or bytes away. */
const markEvery = { lines: 64, bytes: 256 * 1024 };

export interface DuplicateOptions {
  input: FileReader;
  maxLineBytes: number;
  ids: IdSet;
}

export function createDuplicateCheck({ input, maxLineBytes, ids }: DuplicateOptions): DuplicateCheck {
  const marks = createMarks();
  let doubts: Doubt[] = [];
  let found = 0;

  async function isDuplicate({ place, customId, utf8 }: Doubt): Promise<boolean> {
    // The batch fails in any case, and nobody is told more of them: not worth reading for.
    if (found >= limits.reportedErrors) return true;
    for (const line of ids.linesOf(utf8)) if ((await idOf(line)) === customId) return true;
    ids.addBeside(utf8, place.line);
    return false;
  }

  /** Reads a line again, from the nearest mark before it. */
  async function idOf(line: number): Promise<string | null> {
    const { first, start, end } = marks.around(line);
    let current = first;
    let id: string | null = null;
    await forEachLine(input.stream({ start, end: end ?? input.bytes }), {
      maxLineBytes,
      start,
      onLine(bytes) {
        if (current++ < line) return true;
        const check = checkRequestLine(bytes);
        const found = check.ok ? check.request : check.id;
        if (found !== null) id = readString(bytes, found.idStart, found.idEnd);
        return false;
      },
      onTooLong: () => current++ < line,
    });
    return id;
  }

  return {
    mark: marks.add,
    add(place, bytes, { idStart, idEnd }) {
      const raw = { bytes, start: idStart + 1, end: idEnd - 1 };
      const escaped = hasEscape(raw);
      if (!escaped && ids.add(raw, place.line)) return;
      const customId = readString(bytes, idStart, idEnd);
      // A copy: the line's bytes are only there during this call.
      const copy = Buffer.from(customId);
      const utf8 = { bytes: copy, start: 0, end: copy.length };
      if (escaped && ids.add(utf8, place.line)) return;
      doubts.push({ place, customId, utf8 });
    },
    async settle() {
      const lines: number[] = [];
      const looked = doubts;
      doubts = [];
      for (const doubt of looked) {
        if (!(await isDuplicate(doubt))) continue;
        found += 1;
        lines.push(doubt.place.physicalLine);
      }
      return lines;
    },
  };
}

function hasEscape({ bytes, start, end }: ByteRange): boolean {
  for (let i = start; i < end; i += 1) if (bytes[i] === 0x5c) return true;
  return false;
}

interface Marks {
  add(place: LinePlace): void;
  /** The stretch of the file that has a line: `first` begins at `start`, and the line ends before `end`. */
  around(line: number): { first: number; start: number; end: number | null };
}

function createMarks(): Marks {
  let lines = new Float64Array(64);
  let offsets = new Float64Array(64);
  let count = 0;

  return {
    add({ line, offset }) {
      const near =
        count > 0 &&
        line - (lines[count - 1] as number) < markEvery.lines &&
        offset - (offsets[count - 1] as number) < markEvery.bytes;
      if (near) return;
      if (count === lines.length) {
        lines = doubled(lines);
        offsets = doubled(offsets);
      }
      lines[count] = line;
      offsets[count] = offset;
      count += 1;
    },
    around(line) {
      let low = 0;
      let high = count;
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        if ((lines[middle] as number) <= line) low = middle;
        else high = middle;
      }
      const end = high < count ? (offsets[high] as number) : null;
      return { first: lines[low] as number, start: offsets[low] as number, end };
    },
  };
}

function doubled(numbers: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const more = new Float64Array(2 * numbers.length);
  more.set(numbers);
  return more;
}
