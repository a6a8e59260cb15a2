import type { ControlStore, Shard } from "../control/control-store.ts";
import type { Journal, SegmentId } from "../journal/journal.ts";
import type { LineSet } from "./result-index.ts";

const newline = Buffer.of(0x0a);

/** Shards that are asked for at once. */
const shardPage = 500;

/** Bytes that are read from a segment at once. */
const readBytes = 1024 * 1024;

export interface JournalPass {
  /** Lines that were given already; grows. */
  given: LineSet;
  /** Numbers of shards that are done and were read to their end; grows. */
  finished: Set<number>;
}

/** The lines of a running batch that are in its journal and were not given yet, in buffers of whole lines. */
export async function* journalLines(
  { control, journal, batchId }: { control: ControlStore; journal: Journal; batchId: string },
  pass: JournalPass,
): AsyncGenerator<Buffer> {
  let after = -1;
  for (;;) {
    const shards = await control.shardsInOrder(batchId, after, shardPage);
    for (const shard of shards) {
      if (pass.finished.has(shard.shard)) continue;
      for (const { epoch, end } of segmentsOf(shard)) {
        yield* segmentLines(journal, { id: { batchId, shard: shard.shard, epoch }, end, given: pass.given });
      }
      if (shard.state === "done") pass.finished.add(shard.shard);
    }
    const last = shards.at(-1);
    if (last === undefined || shards.length < shardPage) return;
    after = last.firstLine;
  }
}

/** What is noted counts as far as it is noted; beside it only the segment of the epoch that holds the shard. */
function segmentsOf(shard: Shard): { epoch: number; end: number | null }[] {
  const noted = shard.segments.map(({ epoch, bytes }) => ({ epoch, end: bytes }));
  if (shard.epoch === 0 || shard.state === "done" || noted.some(({ epoch }) => epoch === shard.epoch))
    return noted;
  return [...noted, { epoch: shard.epoch, end: null }];
}

async function* segmentLines(
  journal: Journal,
  { id, end, given }: { id: SegmentId; end: number | null; given: LineSet },
): AsyncGenerator<Buffer> {
  const lines = new Set<number>();
  const found: Payload[] = [];
  await journal.scan(id, end, ({ line, offset, payload }) => {
    if (given.has(line) || lines.has(line)) return;
    lines.add(line);
    found.push({ line, offset, length: payload.length });
  });
  if (found.length === 0) return;
  // Read again by position, so that a segment's payloads are never in memory all at once.
  const reader = await journal.open(id);
  try {
    // DURABLE: what is shown stays. A power cut could take back what its holder has written and not yet synced; the
    // line would run again, and have another answer in the end.
    if (end === null) await reader.sync();
    for (const run of runs(found)) {
      const bytes = await reader.read(run.start, run.end - run.start);
      // Not before they are here: what cannot be read any more has to come from elsewhere.
      for (const { line } of run.payloads) given.add(line);
      yield Buffer.concat(
        run.payloads.flatMap(({ offset, length }) => [
          bytes.subarray(offset - run.start, offset - run.start + length),
          newline,
        ]),
      );
    }
  } finally {
    await reader.close();
  }
}

interface Payload {
  line: number;
  offset: number;
  length: number;
}

interface Run {
  start: number;
  end: number;
  payloads: Payload[];
}

/** Neighbouring payloads that one read brings in. */
function runs(found: readonly Payload[]): Run[] {
  const all: Run[] = [];
  for (const payload of found) {
    const end = payload.offset + payload.length;
    const last = all.at(-1);
    if (last !== undefined && end - last.start <= readBytes) {
      last.end = end;
      last.payloads.push(payload);
    } else {
      all.push({ start: payload.offset, end, payloads: [payload] });
    }
  }
  return all;
}
