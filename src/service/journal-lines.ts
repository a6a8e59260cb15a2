import type { Batch } from "../batch/batch.ts";
import type { ControlStore, Shard } from "../control/control-store.ts";
import type { FileStore } from "../files/file-store.ts";
import { type Journal, recordKinds, type SegmentId } from "../journal/journal.ts";
import { type CopyLines, openCopyLines } from "./copy-lines.ts";
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
  /** Set by the first pass over lines; to be closed after the last. */
  copies?: CopyLines | null;
}

interface JournalSources {
  control: ControlStore;
  files: FileStore;
  journal: Journal;
  batch: Batch;
}

/**
 * The lines of a running batch that are in its journal and were not given yet, and those that get the same answers, in
 * buffers of whole lines.
 */
export async function* journalLines(sources: JournalSources, pass: JournalPass): AsyncGenerator<Buffer> {
  // Before it is validated it has no plan, and no results. Opening them takes long where there are many: once will do.
  if (pass.copies === undefined && sources.batch.request_counts.total > 0)
    pass.copies = await openCopyLines(sources);
  yield* linesOfShards({ ...sources, copies: pass.copies ?? null }, pass);
}

async function* linesOfShards(
  { control, journal, batch, copies }: JournalSources & { copies: CopyLines | null },
  pass: JournalPass,
): AsyncGenerator<Buffer> {
  const batchId = batch.id;
  let after = -1;
  for (;;) {
    const shards = await control.shardsInOrder(batchId, after, shardPage);
    for (const shard of shards) {
      if (pass.finished.has(shard.shard)) continue;
      for (const { epoch, end } of segmentsOf(shard)) {
        const id = { batchId, shard: shard.shard, epoch };
        const confirmedEnd = () => endByNow(control, { shard, epoch });
        yield* segmentLines(journal, { id, end, confirmedEnd, given: pass.given, copies });
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

/** How far a segment counts by now; null while the shard is held under its epoch. */
async function endByNow(
  control: ControlStore,
  { shard, epoch }: { shard: Shard; epoch: number },
): Promise<number | null> {
  const [now] = await control.shardsInOrder(shard.batchId, shard.firstLine - 1, 1);
  const segment = now && segmentsOf(now).find((one) => one.epoch === epoch);
  return segment === undefined ? 0 : segment.end;
}

interface SegmentOptions {
  id: SegmentId;
  end: number | null;
  confirmedEnd: () => Promise<number | null>;
  given: LineSet;
  copies: CopyLines | null;
}

async function* segmentLines(
  journal: Journal,
  { id, end, confirmedEnd, given, copies }: SegmentOptions,
): AsyncGenerator<Buffer> {
  const lines = new Set<number>();
  let found: Payload[] = [];
  await journal.scan(id, end, ({ line, kind, offset, payload }) => {
    // One that only waited when its holder stopped is no result before the batch is final: it may yet be run.
    if (kind === recordKinds.unfinished) return;
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
    if (end === null) {
      await reader.sync();
      // Another holder may have taken the shard before this was read, and have found less here. One that takes it
      // from now on finds all of it.
      const limit = (await confirmedEnd()) ?? Number.POSITIVE_INFINITY;
      found = found.filter(({ offset, length }) => offset + length <= limit);
    }
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
      if (copies === null) continue;
      for (const { line, offset, length } of run.payloads) {
        const finished = bytes.subarray(offset - run.start, offset - run.start + length);
        yield* copies.of(line, { finished, given });
      }
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
