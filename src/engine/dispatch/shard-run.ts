import type { NerifError } from "../../batch/errors.ts";
import { limits } from "../../batch/limits.ts";
import type { LineName } from "../../batch/result-line.ts";
import { noTokens, type Tokens } from "../../batch/usage.ts";
import type { ControlStore, Shard, ShardTally } from "../../control/control-store.ts";
import {
  type Journal,
  type JournalEntry,
  type RecordKind,
  recordKinds,
  type SegmentWriter,
} from "../../journal/journal.ts";
import type { Clock } from "../clock.ts";
import { leaseLost } from "../lease-lost.ts";
import type { Followers } from "../plan/followers.ts";
import type { PlanRecord } from "../plan/plan.ts";
import { indexShard } from "../plan/shard-index.ts";
import type { HeldLease } from "./held-lease.ts";
import type { Line } from "./line.ts";
import { patiently } from "./patiently.ts";
import { countResult } from "./tally.ts";

/** A leased shard while its lines run. */
export interface ShardRun {
  readonly number: number;
  /** Lines that are neither durable nor dropped. */
  readonly outstanding: number;
  /** The answers weigh so much that no further line should be sent under this lease. */
  readonly full: boolean;
  /** The lease may have run out: what is sent now another process may be sending as well. */
  readonly lapsed: boolean;
  readonly tally: ShardTally;
  /** What `tally` was when the lease began, as the control store had it. */
  readonly tallyBefore: ShardTally;
  /** The records of the plan whose lines are still to be run. */
  readonly todo: PlanRecord[];
  name(line: Line): LineName;
  append(line: Line, result: { kind: RecordKind; payload: Uint8Array[]; tokens: Tokens | null }): void;
  /** A line will not be run under this lease. */
  dropped(lines?: number): void;
  /** Prolongs the lease and writes the counts. False when another holder has the shard. */
  renew(): Promise<boolean>;
  /** Ends the lease: done when every line has its final result, else handed back. */
  close(): Promise<"done" | "released">;
  /** Closes the segment and leaves the lease to run out, when the control store cannot be told. */
  abandon(): Promise<void>;
}

interface Entry extends JournalEntry {
  tokens: Tokens | null;
}

export interface ShardRunOptions {
  control: ControlStore;
  journal: Journal;
  clock: Clock;
  /** Lines that get the answers of others: they count with them. */
  followers: Followers | null;
  /** Lines of the shard have become durable, or were dropped. */
  onSettled: (shard: ShardRun) => void;
  onDamage: (shard: Shard, bytes: number) => void;
  /** Waits until shards that are done are noted as done, several in one commit. */
  mayFinish: () => Promise<void>;
  /** Aborts when nothing is waited for any more. */
  givenUp: AbortSignal;
  /** Storage is away or full, and is tried again in `ms` milliseconds. */
  onAway: (error: NerifError, ms: number) => void;
}

/**
 * Takes a leased shard up: finds out what earlier holders made durable and notes how far their segments count,
 * before the first line is sent.
 */
export async function openShardRun(
  lease: Shard,
  planned: PlanRecord[],
  options: ShardRunOptions & { held: HeldLease },
): Promise<ShardRun> {
  const { control, journal, followers, held } = options;
  const { batchId, shard: number, epoch } = lease;
  const tally: ShardTally = { completed: 0, failed: 0, tokens: noTokens() };
  const index = await indexShard(lease, {
    journal,
    below: epoch,
    onResult(kind, payload, line) {
      const tokens = kind === recordKinds.output ? payload : null;
      countResult(tally, { kind, tokens }, followers?.weight(line));
    },
  });
  if (index.damagedBytes > 0) options.onDamage(lease, index.damagedBytes);
  // DURABLE: from here on whatever an older holder still writes counts nowhere.
  if (index.segments.length > lease.segments.length) {
    if (!(await control.noteSegments(lease, index.segments))) throw leaseLost(lease);
  }

  const todo = planned.filter((record) => {
    const result = index.results.get(record.line);
    return result === undefined || result.kind === recordKinds.unfinished;
  });
  let writer: SegmentWriter<Entry> | null = null;
  if (todo.length > 0) writer = await journal.create<Entry>({ batchId, shard: number, epoch }, onDurable);
  let outstanding = todo.length;
  /** Lines without a final result that will not be run under this lease. */
  let leftLines = 0;

  function onDurable(entries: Entry[]): void {
    for (const entry of entries) countResult(tally, entry, followers?.weight(entry.line));
    outstanding -= entries.length;
    options.onSettled(run);
  }

  /** Told twice it changes nothing: after the first time this epoch has no lease any more. */
  function told(change: () => Promise<boolean>): Promise<boolean> {
    const { clock, givenUp: signal, onAway } = options;
    return patiently(change, { clock, signal, onAway, isOver: () => held.lapsed });
  }

  const run: ShardRun = {
    number,
    tally,
    todo,
    tallyBefore: { completed: lease.completed, failed: lease.failed, tokens: lease.tokens },
    get outstanding() {
      return outstanding;
    },
    get full() {
      return writer !== null && writer.bytes > limits.shardAnswerBytes;
    },
    get lapsed() {
      return held.lapsed;
    },
    name: (line) => ({ batchId, line: line.index, customId: line.customId }),
    append(line, { kind, payload, tokens }) {
      if (kind === recordKinds.unfinished) leftLines += 1;
      const attempts = Math.min(line.history.attempts + 1, 65_535);
      writer?.append({ line: line.index, kind, attempts, payload, tokens });
    },
    dropped(lines = 1) {
      leftLines += lines;
      outstanding -= lines;
      options.onSettled(run);
    },
    renew: () => held.renew(tally),
    async close() {
      const bytes = (await writer?.close()) ?? 0;
      const segments = writer === null ? index.segments : [...index.segments, { epoch, bytes }];
      // A finished shard has a final result for each line: whoever finds all shards done may complete the batch,
      // although this process broke off because its window was over.
      if (leftLines > 0) {
        await told(() => control.releaseShard(lease, segments, tally));
        return "released";
      }
      // A process that ends meanwhile has lost nothing: the next one finds every line in the journal.
      await options.mayFinish();
      await told(() => control.finishShard(lease, segments, tally));
      return "done";
    },
    async abandon() {
      await writer?.close();
    },
  };
  return run;
}
