import type { Concurrency, ConcurrencyOptions } from "./concurrency.ts";
import { createLatencyTarget } from "./latency-target.ts";
import type { Share } from "./share.ts";

export interface YieldingOptions extends ConcurrencyOptions {
  /** Null: all of what was learned. */
  share: Share | null;
  /** Null: none. */
  targetLatencyMs: number | null;
}

/** Milliseconds for which a share is kept to before what it is a share of is looked at again. */
const shortestHoldMs = 60_000;
/** Looking takes all that the upstream bears: at most a twentieth of the time. */
const holdPerLook = 19;

/**
 * Leaves room for others. A share can only be taken of something that is known, and what an upstream bears shows only when it
 * is used: so it looks, with as many calls as there is use for, until that is settled, and keeps to the share of it for a
 * minute or longer. A limit that is fixed needs no looking, and neither does a target for the latency.
 *
 * While fewer calls are let through than were learned, nothing is learned but refusals.
 */
export function createYielding(learned: Concurrency, options: YieldingOptions): Concurrency {
  const { share, targetLatencyMs: targetMs, floor, ceiling } = options;
  const isFixed = floor === ceiling;
  const target = targetMs === null ? null : createLatencyTarget({ targetMs, floor: isFixed ? 1 : floor });
  let phase: "all" | "look" | "hold" = isFixed ? "hold" : "look";
  let lookedSince: number | null = null;
  let holdUntil = 0;
  /** What the upstream was found to bear when that was looked at last. */
  let whole = Number.POSITIVE_INFINITY;
  let limit = allowed();

  function allowed(): number {
    const part = phase === "hold" ? Math.min(whole, learned.limit) * (share?.() ?? 1) : learned.limit;
    return Math.max(1, Math.floor(Math.min(part, most())));
  }

  /** As far as the latency goes. */
  function most(): number {
    return target?.most ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the steps that are due. */
  function goOn(now: number): void {
    if (!isFixed) choosePhase(now);
    limit = allowed();
  }

  function choosePhase(now: number): void {
    if (share === null || share() === 1) {
      if (phase === "hold") learned.resume(now);
      phase = "all";
      return;
    }
    if (phase === "all") beginLook(now);
    lookedSince ??= now;
    if (phase === "look" && isKnown()) {
      phase = "hold";
      whole = Math.min(learned.limit, most());
      holdUntil = now + Math.max(shortestHoldMs, holdPerLook * (now - lookedSince));
    } else if (phase === "hold" && now >= holdUntil) {
      beginLook(now);
      learned.resume(now);
    }
  }

  function beginLook(now: number): void {
    phase = "look";
    lookedSince = now;
  }

  /** Whether the latency allows fewer calls than were learned. */
  function isCut(): boolean {
    return most() < learned.limit;
  }

  /** Whether it has been found out what the upstream bears. */
  function isKnown(): boolean {
    return isCut() ? target?.isMet === true : learned.settled;
  }

  return {
    get limit() {
      return limit;
    },
    get settled() {
      return learned.settled;
    },
    served(sentAt, now, wasFull) {
      const wasCut = isCut();
      learned.served(sentAt, now, wasFull && !wasCut && phase !== "hold");
      target?.answered(sentAt, now, { limit, wasFull: wasFull && limit >= most() });
      if (wasCut && !isCut()) learned.resume(now);
      goOn(now);
    },
    refused(sentAt, now) {
      learned.refused(sentAt, now);
      goOn(now);
    },
    crowded(sentAt, now, told) {
      learned.crowded(sentAt, now, told);
      goOn(now);
    },
    failed(sentAt, now) {
      learned.failed(sentAt, now);
      goOn(now);
    },
    restart(now) {
      learned.restart(now);
      target?.restart(now);
      if (phase === "hold" && !isFixed) beginLook(now);
      goOn(now);
    },
    resume(now) {
      learned.resume(now);
      goOn(now);
    },
  };
}
