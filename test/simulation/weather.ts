import type { Random } from "./world/random.ts";

/** A stretch of virtual time, in milliseconds. */
export interface Stretch {
  from: number;
  until: number;
}

/** What goes wrong in one world, and how large the program's own limits are there. */
export interface Weather {
  /** From here on nothing goes wrong any more, in milliseconds. */
  quietAt: number;
  /** Calls to the outside after which a life ends in the middle of one, on average; 0: none does. */
  callsPerLife: number;
  /** Deaths at moments at which nothing may be going on. */
  kills: number[];
  /** The share of deaths that are power cuts. */
  powerShare: number;
  /** The longest that nobody starts the program again, in milliseconds. */
  longestAbsence: number;
  /** Moments at which the program is asked to end, and of pauses beyond a lease. */
  stops: number[];
  pauses: number[];
  /** Moments at which the program stands still and another is let in meanwhile, lock or no lock. */
  takeovers: number[];
  /** Jumps of the wall clock. */
  jumps: { at: number; ms: number }[];
  diskFull: Stretch[];
  shortWrites: number;
  syncFailures: number;
  /** The slowest call of the file system, in milliseconds. */
  slowestDisk: number;
  storeDown: Stretch[];
  /** Share of changes that are made although the answer says that the store cannot be reached. */
  lostAnswers: number;
  outages: (Stretch & { kind: "refused" | "unavailable" | "throttled" | "account" | "reset" })[];
  /** Shares of calls. */
  flaky: { unavailable: number; reset: number; throttled: number; timeout: number; malformed: number };
  slowestAnswer: number;
  concurrency: number;
  maxAttempts: number;
  cancelGraceMs: number;
  limits: { shardLines: number; routes: number; shardAnswerBytes: number; unflushedBytes: number };
  webhooks: { areThere: boolean; failures: number };
  clients: { batches: number; lines: number; actions: number; until: number; shortWindows: number };
}

/**
 * Each kind of trouble is there in some worlds only: where everything happens at once, nothing gets far enough to
 * meet the next trouble.
 */
export function drawWeather(random: Random): Weather {
  const quietAt = random.pick([3_000, 10_000, 30_000, 60_000]);
  const some = <T>(probability: number, value: () => T, none: T): T =>
    random.chance(probability) ? value() : none;
  const times = (most: number) => Array.from({ length: random.int(1, most) }, () => random.next() * quietAt);
  const stretch = (longest: number): Stretch => {
    const from = random.next() * quietAt;
    return { from, until: Math.min(quietAt, from + random.next() * longest) };
  };
  const stretches = (most: number, longest: number) =>
    Array.from({ length: random.int(1, most) }, () => stretch(longest));
  const kinds = ["refused", "unavailable", "throttled", "account", "reset"] as const;
  const rate = (probability: number, most: number) => some(probability, () => random.next() * most, 0);

  return {
    quietAt,
    callsPerLife: some(0.5, () => random.pick([30, 100, 300, 1_000]), 0),
    kills: some(0.3, () => times(4), []),
    powerShare: random.pick([0, 0.5, 1]),
    longestAbsence: random.pick([500, 3_000, 30_000]),
    stops: some(0.2, () => times(3), []),
    pauses: some(0.15, () => times(2), []),
    takeovers: some(0.15, () => times(random.pick([2, 8])), []),
    jumps: some(
      0.1,
      () => times(2).map((at) => ({ at, ms: random.pick([-3_600_000, -5_000, 5_000, 90_000]) })),
      [],
    ),
    diskFull: some(0.2, () => stretches(3, 15_000), []),
    shortWrites: some(0.2, () => 0.2, 0),
    syncFailures: some(0.1, () => 0.02, 0),
    slowestDisk: random.pick([0.5, 5, 40]),
    storeDown: some(0.25, () => stretches(4, 12_000), []),
    lostAnswers: some(0.15, () => 0.1, 0),
    outages: some(0.4, () => stretches(3, 30_000).map((s) => ({ ...s, kind: random.pick(kinds) })), []),
    flaky: {
      unavailable: rate(0.4, 0.5),
      reset: rate(0.3, 0.3),
      throttled: rate(0.3, 0.3),
      timeout: rate(0.2, 0.1),
      malformed: rate(0.2, 0.2),
    },
    slowestAnswer: random.pick([5, 200, 4_000, 20_000]),
    concurrency: random.pick([1, 2, 5, 16]),
    maxAttempts: random.pick([1, 2, 3, 5]),
    cancelGraceMs: random.pick([0, 500, 30_000]),
    limits: {
      shardLines: random.pick([1, 3, 8, 512]),
      routes: random.pick([1, 3, 64]),
      shardAnswerBytes: random.pick([600, 4_000, 64 * 1024 * 1024]),
      unflushedBytes: random.pick([1, 2_000, 16 * 1024 * 1024]),
    },
    webhooks: { areThere: random.chance(0.4), failures: random.pick([0, 0.5, 1]) },
    clients: {
      batches: random.int(1, 4),
      lines: random.pick([1, 4, 8, 20, 60]),
      actions: random.int(0, 12),
      until: random.pick([1_000, 5_000, 25_000]),
      shortWindows: random.pick([0, 0.3, 0.8]),
    },
  };
}

export function isIn(stretches: readonly Stretch[], at: number): boolean {
  for (const { from, until } of stretches) if (at >= from && at < until) return true;
  return false;
}
