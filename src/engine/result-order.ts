import type { Batch, Ending } from "../batch/batch.ts";
import { NerifError } from "../batch/errors.ts";
import { failureLine, neverRunError } from "../batch/result-line.ts";
import type { ControlStore, Shard } from "../control/control-store.ts";
import type { FileReader } from "../files/file-store.ts";
import type { Journal, RecordKind } from "../journal/journal.ts";
import { type Arena, createArenaPool } from "./arena.ts";
import { createFollowerResults, type FollowerResults } from "./follower-results.ts";
import type { Followers } from "./followers.ts";
import { readLines } from "./line-bytes.ts";
import { type PlanRecord, readShard } from "./plan.ts";
import { indexShard, type ShardIndex } from "./shard-index.ts";

/** Result payloads that are held in memory at once, over all open shards; beyond it they are read one by one. */
const heldBytes = 64 * 1024 * 1024;
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
  const { followers } = sources;
  if (followers === null) {
    yield* shardResults(batch, ending, { ...sources, copies: null });
    return;
  }
  const copies = createFollowerResults({ ...sources, followers, batch, ending });
  try {
    yield* shardResults(batch, ending, { ...sources, copies });
  } finally {
    await copies.close();
  }
}

interface ResultSources {
  control: ControlStore;
  journal: Journal;
  input: FileReader;
  plan: FileReader;
  followers: Followers | null;
}

async function* shardResults(
  batch: Batch,
  ending: Ending,
  deps: ResultSources & { copies: FollowerResults | null },
): AsyncGenerator<OrderedResult[]> {
  const upcoming = shardsByFirstLine(batch.id, deps.control);
  let next = await upcoming.next();
  const pool = createArenaPool();
  let held = 0;
  /** Open shards by the line that each has next. */
  const open = new Map<number, ShardCursor>();

  for (let line = 0; line < batch.request_counts.total; ) {
    while (!next.done && next.value.firstLine <= line) {
      const arena = held < heldBytes ? pool() : null;
      const cursor = await openCursor(next.value, { ...deps, batch, ending, arena });
      held += cursor.heldBytes;
      open.set(next.value.firstLine, cursor);
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
    if (cursor.nextLine === null) {
      held -= cursor.heldBytes;
      cursor.release();
    } else open.set(cursor.nextLine, cursor);
  }
}

interface ShardCursor {
  /** Null at the end. */
  readonly nextLine: number | null;
  readonly heldBytes: number;
  /** The results of the lines that follow one another without a gap, up to before line `until`. */
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
  arena: Arena | null;
}

async function openCursor(shard: Shard, options: CursorOptions): Promise<ShardCursor> {
  const { journal, input, plan, batch, ending, copies, arena } = options;
  const records = (await readShard(plan, shard.planOffset)).sort((a, b) => a.line - b.line);
  const index = await indexShard(shard, { journal, arena });
  if (copies !== null) for (const [line, result] of index.results) copies.note(line, shard, result);
  let at = 0;

  return {
    get nextLine() {
      return records[at]?.line ?? null;
    },
    heldBytes: arena === null ? 0 : sumOfLengths(index),
    release: () => arena?.release(),
    async takeRun(until) {
      const from = at;
      const first = records[from]?.line ?? 0;
      while (records[at]?.line === first + (at - from) && first + (at - from) < until) at += 1;
      const run = records.slice(from, at);
      const derived = await neverRun(run);
      const results: OrderedResult[] = [];
      // Nearly all are in memory: one that waits for nothing costs no promise.
      for (const { line } of run) results.push(derived.get(line) ?? held(line) ?? (await stored(line)));
      return results;
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

  function held(line: number): OrderedResult | null {
    const result = index.results.get(line);
    return result === undefined || result.payload === null
      ? null
      : { kind: result.kind, payload: [result.payload] };
  }

  async function stored(line: number): Promise<OrderedResult> {
    const result = index.results.get(line);
    if (result === undefined) throw new ShardDamage(shard, line);
    const segment = await journal.open({ batchId: batch.id, shard: shard.shard, epoch: result.epoch });
    try {
      return { kind: result.kind, payload: [await segment.read(result.offset, result.length)] };
    } finally {
      await segment.close();
    }
  }
}

function sumOfLengths(index: ShardIndex): number {
  let bytes = 0;
  for (const { length } of index.results.values()) bytes += length;
  return bytes;
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
