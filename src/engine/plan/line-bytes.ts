import { crc32 } from "node:zlib";
import { NerifError } from "../../batch/errors.ts";
import type { FileReader } from "../../files/file-store.ts";
import type { PlanRecord } from "./plan.ts";

/** Bytes and lines that are read at once, so that little waits in memory; a single longer line is read whole. */
const readBytes = 256 * 1024;
const readLinesAtOnce = 128;
/** Lines of other routes between two lines are read along up to this many bytes. */
const gapBytes = 32 * 1024;

/** The parts of one input line that execution needs. */
export interface LineBytes {
  record: PlanRecord;
  /** The raw JSON string, quotes included. */
  customId: string;
  model: string | null;
  body: Buffer;
  /** False when the input was damaged since it was validated: the line must not be sent. */
  isSound: boolean;
}

/**
 * Reads the lines of `records` beginning at `from`: as many as lie close together, at least one.
 * @throws NerifError `input_changed` when the file has become shorter
 */
export async function readLines(
  input: FileReader,
  records: readonly PlanRecord[],
  from: number,
): Promise<LineBytes[]> {
  const first = records[from];
  if (first === undefined) return [];
  const start = first.offset + spanOf(first).start;
  let end = first.offset + spanOf(first).end;
  let until = from + 1;
  for (; until < records.length && until - from < readLinesAtOnce; until++) {
    const record = records[until];
    if (record === undefined) break;
    const span = spanOf(record);
    const gap = record.offset + span.start - end;
    // Lines that are grouped by prefix may lie before the ones that they follow.
    if (gap < 0 || gap > gapBytes || record.offset + span.end - start > readBytes) break;
    end = record.offset + span.end;
  }
  const bytes = await input.read(start, end - start);
  if (bytes.length < end - start) {
    throw new NerifError(
      "input_changed",
      `Cannot read the input: it ends before byte ${end}, where a line was`,
    );
  }
  return records.slice(from, until).map((record) => cut(record, bytes, record.offset - start));
}

function cut(record: PlanRecord, bytes: Buffer, at: number): LineBytes {
  const { idStart, idLength, modelStart, modelLength, bodyStart, bodyLength, sums } = record;
  const id = bytes.subarray(at + idStart, at + idStart + idLength);
  const body = bytes.subarray(at + bodyStart, at + bodyStart + bodyLength);
  const isIdSound = sums === null || crc32(id) === sums.id;
  if (!isIdSound || (sums !== null && crc32(body) !== sums.body)) {
    // Its own id, if that is left, and none that could be another line's.
    const customId = isIdSound
      ? id.toString("utf8")
      : JSON.stringify(`(damaged id of request ${record.line})`);
    return { record, customId, model: null, body, isSound: false };
  }
  const model = bytes.toString("utf8", at + modelStart, at + modelStart + modelLength);
  return {
    ...{ record, customId: id.toString("utf8"), body, isSound: true },
    model: modelLength === 0 ? null : (JSON.parse(model) as string),
  };
}

/** The stretch of a line, relative to its beginning, that holds everything that is needed; the model lies in the body. */
function spanOf(record: PlanRecord): { start: number; end: number } {
  return {
    start: Math.min(record.idStart, record.bodyStart),
    end: Math.max(record.idStart + record.idLength, record.bodyStart + record.bodyLength),
  };
}
