import { NerifError } from "../../batch/errors.ts";
import { damagedLineError, failureLine } from "../../batch/result-line.ts";
import type { Shard } from "../../control/control-store.ts";
import type { FileReader } from "../../files/file-store.ts";
import { recordKinds } from "../../journal/journal.ts";
import { type LineBytes, readLines } from "../plan/line-bytes.ts";
import { readShard } from "../plan/plan.ts";
import { type HeldLease, holdLease } from "./held-lease.ts";
import type { Line } from "./line.ts";
import { isStorageAway, patiently } from "./patiently.ts";
import { newHistory } from "./retry.ts";
import { openShardRun, type ShardRun, type ShardRunOptions } from "./shard-run.ts";

/** Request bytes that are read ahead, beyond one read. */
const readAheadBytes = 4 * 1024 * 1024;
/**
 * A lease is a commit, which the disk takes milliseconds for and the process waits. Shards that are used up faster than
 * this, in milliseconds, are leased several at once; slower ones singly, so that nobody sits on what others could run.
 */
const fastMs = 400;
const mostLeases = 8;
/**
 * Longest wait for a shard to be opened. The lease is renewed meanwhile, and what this process has open of a plan that
 * another one has written again never can be read: then the shard is somebody else's. The only executor of a data
 * directory has nobody to leave it to, and waits.
 */
const openingMs = 120_000;

/** Leases the shards of one route of one batch, one after another, and reads their lines ahead of execution. */
export interface Loader {
  /** Nothing is left to lease. */
  readonly exhausted: boolean;
  /** Reads ahead if fewer lines are ready than may be sent; null when there is nothing to do, or it is under way. */
  fill(): Promise<void> | null;
  /** A line that this loader had read was sent. */
  taken(line: Line): void;
  /** A shard was handed back: there may be something to lease again. */
  again(): void;
  /** Reads nothing more. Resolves when a read under way has ended. */
  halt(): Promise<void>;
}

export interface LoaderOptions extends ShardRunOptions {
  batchId: string;
  /** Nothing is leased any more when the batch has another one: it is about to end. */
  version: number;
  endpoint: string | null;
  model: string | null;
  /** By which name shards are leased at the moment. */
  holder: () => string;
  leaseMs: number;
  heartbeatMs: number;
  /** See `HoldOptions`. */
  alone: boolean;
  input: FileReader;
  plan: FileReader;
  /** Lines to keep ready. */
  target: () => number;
  onShard: (shard: ShardRun) => void;
  onLines: (lines: Line[]) => void;
}

export function createLoader(options: LoaderOptions): Loader {
  let readyLines = 0;
  let readyBytes = 0;
  let exhausted = false;
  let halted = false;
  const halting = new AbortController();
  let filling = false;
  let releases = 0;
  let filled: Promise<void> = Promise.resolve();
  let current: { shard: ShardRun; next: number } | null = null;
  /** Leased together with the current one. */
  const upcoming: ShardRun[] = [];
  let leases = 1;
  let leasedAt = Number.NEGATIVE_INFINITY;

  async function fillUp(): Promise<void> {
    try {
      while (needsMore()) {
        if (current !== null && mayReadOn(current)) {
          await readOn(current);
          continue;
        }
        // What a full shard or one without a lease has not sent yet goes back with it, for the next lease.
        if (current !== null) skipRest(current);
        // It may be long until there is another one, or none.
        current = null;
        const releasesBefore = releases;
        current = await nextShard();
        // A shard that was handed back while the answer was on its way is there now.
        if (current === null && releases === releasesBefore) exhausted = true;
      }
    } finally {
      // In the very turn of the last look at what is needed: a call in between would be lost.
      filling = false;
    }
  }

  function needsMore(): boolean {
    if (halted || exhausted || readyLines >= options.target()) return false;
    return readyLines === 0 || readyBytes < readAheadBytes;
  }

  async function readOn(from: { shard: ShardRun; next: number }): Promise<void> {
    const { input } = options;
    const read = await orHalted(
      () => readLines(input, from.shard.todo, from.next),
      () => from.shard.lapsed,
    );
    if (read === null) return;
    // Lines of a file that somebody is writing to are not damaged: they may be there again tomorrow.
    if (read.some(({ isSound }) => !isSound) && (await input.isUnchanged?.()) === false) {
      throw new NerifError("input_changed", "Cannot read the input: somebody has written to it meanwhile");
    }
    if (halted) return;
    from.next += read.length;
    const lines: Line[] = [];
    for (const bytes of read) {
      const line = newLine(options.batchId, from.shard, bytes);
      if (bytes.isSound) lines.push(line);
      else refuse(line);
    }
    for (const line of lines) {
      readyLines += 1;
      readyBytes += line.body.length;
    }
    options.onLines(lines);
  }

  /** Null when nothing is wanted any more. */
  async function orHalted<T>(task: () => Promise<T>, isOver: () => boolean): Promise<T | null> {
    const { clock, onAway } = options;
    try {
      return await patiently(task, { clock, signal: halting.signal, isOver, onAway });
    } catch (reason) {
      if (halted && isStorageAway(reason)) return null;
      throw reason;
    }
  }

  /** A line whose request was damaged has failed: nobody can say what it asked for. */
  function refuse(line: Line): void {
    const payload = failureLine(line.shard.name(line), null, damagedLineError);
    line.shard.append(line, { kind: recordKinds.error, payload, tokens: null });
  }

  async function nextShard(): Promise<{ shard: ShardRun; next: number } | null> {
    if (upcoming.length === 0) await leaseMore();
    const shard = upcoming.shift();
    return shard === undefined ? null : { shard, next: 0 };
  }

  async function leaseMore(): Promise<void> {
    const { batchId, version, endpoint, model, holder, leaseMs, control, clock } = options;
    const now = clock.monotonic();
    leases = now - leasedAt < fastMs ? Math.min(2 * leases, mostLeases) : 1;
    leasedAt = now;
    const request = { batchId, version, endpoint, model, holder: holder(), leaseMs, limit: leases };
    let asked = now;
    // What is held tells for how long: when it lapses, the run is broken off.
    const leased = await orHalted(
      () => {
        asked = clock.monotonic();
        return control.leaseShards(request);
      },
      () => false,
    );
    if (leased === null) return;
    const opened = await Promise.allSettled(leased.map((lease) => openLeased(lease, asked)));
    for (const result of opened) {
      if (result.status === "fulfilled" && result.value !== null) upcoming.push(result.value);
    }
    for (const result of opened) if (result.status === "rejected") throw result.reason;
  }

  async function openLeased(lease: Shard, since: number): Promise<ShardRun | null> {
    const held = holdLease(lease, { ...options, since });
    // What others have left may take longer to read than a lease lasts.
    const letGo = held.keep();
    const shard = await openHeld(lease, held).finally(letGo);
    // Not before: a late renewal, with the old counts, could be carried out after one of those that follow.
    if (shard !== null) options.onShard(shard);
    return shard;
  }

  /** Null when nothing is wanted any more; a lease that was not given back then runs out. */
  async function openHeld(lease: Shard, held: HeldLease): Promise<ShardRun | null> {
    const { control, clock, alone } = options;
    const until = clock.monotonic() + openingMs;
    const isOver = () => held.lapsed || (!alone && clock.monotonic() >= until);
    const readPlan = () => readShard(options.plan, lease.planOffset);
    const planned = await orHalted(readPlan, isOver).catch(async (reason: unknown) => {
      // Whoever writes the plan again shall not have to wait for the lease to run out.
      // What is wrong with the plan matters more than that this cannot be told.
      await control.releaseShard(lease, lease.segments, lease).catch(() => false);
      throw reason;
    });
    if (planned === null) return null;
    return orHalted(() => openShardRun(lease, planned, { ...options, held }), isOver);
  }

  return {
    get exhausted() {
      return exhausted;
    },
    fill() {
      // Who calls while it is filling may go: it looks again whether more is needed before it ends.
      if (filling || !needsMore()) return null;
      filling = true;
      filled = fillUp();
      return filled;
    },
    taken(line) {
      readyLines -= 1;
      readyBytes -= line.body.length;
    },
    again() {
      releases += 1;
      exhausted = false;
    },
    async halt() {
      halted = true;
      halting.abort();
      // Whoever asked for it is told of its failure.
      await filled.catch(() => {});
      if (current !== null) skipRest(current);
      current = null;
      for (const shard of upcoming.splice(0)) skipRest({ shard, next: 0 });
    },
  };
}

function mayReadOn({ shard, next }: { shard: ShardRun; next: number }): boolean {
  return !shard.full && !shard.lapsed && next < shard.todo.length;
}

function skipRest(current: { shard: ShardRun; next: number }): void {
  const rest = current.shard.todo.length - current.next;
  if (rest > 0) current.shard.dropped(rest);
}

function newLine(batchId: string, shard: ShardRun, { record, customId, model, body }: LineBytes): Line {
  const { line: index, endpoint } = record;
  return {
    batchId,
    index,
    shard,
    endpoint,
    model,
    customId,
    body,
    history: newHistory(),
    last: null,
    dueAt: 0,
    sentAt: 0,
    tokens: 0,
    atOnce: 0,
    source: null,
    failedOn: null,
  };
}
