import type { Batch, Ending } from "../../batch/batch.ts";
import { NerifError } from "../../batch/errors.ts";
import { failureLine, neverRunError } from "../../batch/result-line.ts";
import type { ControlStore, Shard } from "../../control/control-store.ts";
import type { FileReader } from "../../files/file-store.ts";
import type { Journal, RecordKind } from "../../journal/journal.ts";
import type { Logger } from "../deps.ts";
import { type ArenaPool, createArenaPool } from "../plan/arena.ts";
import type { Followers } from "../plan/followers.ts";
import { readLines } from "../plan/line-bytes.ts";
import { type PlanRecord, readShard } from "../plan/plan.ts";
import { indexShard } from "../plan/shard-index.ts";
import { createFollowerResults, type FollowerResults } from "./follower-results.ts";
import { createOpenSegments, type OpenSegments } from "./open-segments.ts";
import { createResultMemory, createResultWindow, type ResultMemory } from "./result-window.ts";

const shardsAtATime = 256;

/** One line of a result file, without its newline. `kind` null: the line was never run. */
export interface OrderedResult {
  kind: RecordKind | null;
  payload: Uint8Array[];
}

/** A shard that is marked as done lacks lines: its journal was damaged afterwards. */
export class ShardDamage extends NerifError {
  readonly shard: number;
  constructor(shard: Shard, line: number) {
    super(
      "data_damaged",
      `Cannot read the result of line index ${line}: the journal of shard ${shard.shard} is damaged`,
    );
    this.shard = shard.shard;
  }
}

/**
 * The results of a batch in input order, over all routes. Payloads may be looked at only until the next ones are
 * asked for: their memory is reused. Only shards whose lines are due are open: one for each
 * route at most, sixteen where lines are grouped by prefix.
 *
 * @throws ShardDamage when `ending` is completed and a line has no result
 */
export async function* resultsInOrder(
  batch: Batch,
  ending: Ending,
  sources: ResultSources,
): AsyncGenerator<OrderedResult[]> {
  const { followers, journal } = sources;
  const segments = createOpenSegments({ batchId: batch.id, journal });
  const copies =
    followers === null ? null : createFollowerResults({ ...sources, followers, batch, ending, segments });
  try {
    yield* shardResults(batch, ending, { ...sources, copies, segments });
  } finally {
    await segments.close();
  }
}

interface ResultSources {
  control: ControlStore;
  journal: Journal;
  input: FileReader;
  plan: FileReader;
  followers: Followers | null;
  log: Logger;
}

async function* shardResults(
  batch: Batch,
  ending: Ending,
  deps: ResultSources & { copies: FollowerResults | null; segments: OpenSegments },
): AsyncGenerator<OrderedResult[]> {
  const upcoming = shardsByFirstLine(batch.id, deps.control);
  let next = await upcoming.next();
  const options = { ...deps, batch, ending, pool: createArenaPool(), memory: createResultMemory() };
  /** Open shards by the line that each has next. */
  const open = new Map<number, ShardCursor>();

  for (let line = 0; line < batch.request_counts.total; ) {
    while (!next.done && next.value.firstLine <= line) {
      open.set(next.value.firstLine, await openCursor(next.value, options));
      next = await upcoming.next();
    }
    const cursor = open.get(line);
    if (cursor === undefined) {
      const results = (await deps.copies?.takeRun(line)) ?? [];
      if (results.length > 0) {
        line += results.length;
        yield results;
        continue;
      }
      throw new NerifError(
        "data_damaged",
        `Cannot write the results of ${batch.id}: the plan lacks line index ${line}`,
      );
    }
    open.delete(line);
    const until = next.done ? batch.request_counts.total : next.value.firstLine;
    const results = await cursor.takeRun(until);
    line += results.length;
    yield results;
    if (cursor.nextLine === null) cursor.release();
    else open.set(cursor.nextLine, cursor);
  }
}

interface ShardCursor {
  /** Null at the end. */
  readonly nextLine: number | null;
  /** The results of lines that follow one another without a gap, up to before line `until`; one at least. */
  takeRun(until: number): Promise<OrderedResult[]>;
  release(): void;
}

interface CursorOptions {
  batch: Batch;
  ending: Ending;
  journal: Journal;
  input: FileReader;
  plan: FileReader;
  /** Told where each result is that others may get as well. */
  copies: FollowerResults | null;
  segments: OpenSegments;
  pool: ArenaPool;
  memory: ResultMemory;
  log: Logger;
}

async function openCursor(shard: Shard, options: CursorOptions): Promise<ShardCursor> {
  const { journal, input, plan, batch, ending, copies, segments, pool, memory } = options;
  const records = (await readShard(plan, shard.planOffset)).sort((a, b) => a.line - b.line);
  const room = memory.takeWhole(shard.segments.reduce((sum, { bytes }) => sum + bytes, 0));
  const arena = room === null ? null : pool();
  const index = await indexShard(shard, { journal, arena });
  if (index.damagedBytes > 0) {
    const message = `The journal is damaged: ${index.damagedBytes} bytes were refused, their lines have no result`;
    options.log.error({ batch: batch.id, shard: shard.shard }, message);
  }
  if (copies !== null) for (const [line, result] of index.results) copies.note(line, shard, result);
  const window =
    arena === null
      ? createResultWindow({ shard: shard.shard, records, index, memory, segments, pool })
      : null;
  let at = 0;
  /** Records before this one have their payloads in memory. */
  let held = window === null ? records.length : 0;

  return {
    get nextLine() {
      return records[at]?.line ?? null;
    },
    release() {
      arena?.release();
      room?.release();
      window?.release();
    },
    async takeRun(until) {
      if (at === held && window !== null) held = await window.moveTo(at);
      const from = at;
      const first = records[from]?.line ?? 0;
      while (at < held && records[at]?.line === first + (at - from) && first + (at - from) < until) at += 1;
      const run = records.slice(from, at);
      const derived = await neverRun(run);
      return run.map(({ line }) => derived.get(line) ?? result(line));
    },
  };

  /** Lines that have no result get theirs from the plan and the input. */
  async function neverRun(run: PlanRecord[]): Promise<Map<number, OrderedResult>> {
    const missing = run.filter((record) => !index.results.has(record.line));
    const results = new Map<number, OrderedResult>();
    const first = missing[0];
    if (first === undefined) return results;
    if (ending === "completed") throw new ShardDamage(shard, first.line);
    const error = neverRunError(ending);
    for (let i = 0; i < missing.length; ) {
      const lines = await readLines(input, missing, i);
      i += lines.length;
      for (const { record, customId } of lines) {
        const name = { batchId: batch.id, line: record.line, customId };
        results.set(record.line, { kind: null, payload: failureLine(name, null, error) });
      }
    }
    return results;
  }

  function result(line: number): OrderedResult {
    const found = index.results.get(line);
    if (found === undefined || found.payload === null) throw new ShardDamage(shard, line);
    return { kind: found.kind, payload: [found.payload] };
  }
}

async function* shardsByFirstLine(batchId: string, control: ControlStore): AsyncGenerator<Shard, void> {
  let after = -1;
  for (;;) {
    const shards = await control.shardsInOrder(batchId, after, shardsAtATime);
    yield* shards;
    const last = shards.at(-1);
    if (last === undefined) return;
    after = last.firstLine;
  }
}
