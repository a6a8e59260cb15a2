import type { EngineDeps } from "./deps.ts";

const leaseMs = 12_000;
const beatMs = 4_000;
/** By then every other process has seen who has come, and spends less, in milliseconds. */
const settleMs = beatMs + 500;
/** Who has wanted nothing for so long leaves its share to others, in milliseconds. */
const restMs = 60_000;

/** How the budgets that are configured for upstreams are divided among all processes that spend them. */
export interface BudgetShares {
  /**
   * What part of an upstream's budgets this process may spend, from 0 to 1, at a monotonic time. Asking says that it
   * wants to spend some.
   */
  of(upstream: string): (now: number) => number;
  /** Leaves its parts to the others. */
  stop(): Promise<void>;
}

interface Share {
  part: number;
  wantedAt: number;
  /** When it came to those who share, or null. */
  joinedAt: number | null;
  /** When the store was last told. */
  toldAt: number;
}

/**
 * Equal parts for all who want some. The sum is never more than the whole: who comes waits until all others have seen
 * it, and who is not heard of any more spends nothing by then.
 *
 * @param holder names this process for as long as it lives
 */
export function createBudgetShares({
  control,
  clock,
  lock,
  log,
  holder,
}: Pick<EngineDeps, "control" | "clock" | "lock" | "log"> & { holder: string }): BudgetShares {
  const shares = new Map<string, Share>();
  let cancelBeat: (() => void) | null = null;
  let beating = Promise.resolve();
  let stopped = false;

  function ask(upstream: string, now: number): number {
    const share = shares.get(upstream) ?? newShare();
    shares.set(upstream, share);
    share.wantedAt = now;
    if (cancelBeat === null && !stopped) beatAfter(0);
    return now - share.toldAt > leaseMs ? 0 : share.part;
  }

  function beatAfter(ms: number): void {
    const begin = () => {
      beating = beat();
    };
    cancelBeat = clock.after(ms, begin, { keepAlive: false });
  }

  async function beat(): Promise<void> {
    try {
      for (const [upstream, share] of shares) await tell(`budget/${upstream}/`, share);
    } catch (reason) {
      log.warn({ err: reason }, "Cannot share the budgets of the upstreams; trying again");
    }
    if (!stopped) beatAfter(beatMs);
  }

  async function tell(group: string, share: Share): Promise<void> {
    const lease = { name: `${group}${holder}`, holder };
    if (clock.monotonic() - share.wantedAt > restMs) {
      if (share.joinedAt !== null) await control.dropLease(lease);
      Object.assign(share, newShare());
      return;
    }
    // Taken for dead meanwhile, it comes anew.
    if (clock.monotonic() - share.toldAt > leaseMs) share.joinedAt = null;
    const now = clock.monotonic();
    await control.takeLease({ ...lease, leaseMs });
    const holders = Math.max(1, await control.countHolders(group));
    share.toldAt = now;
    share.joinedAt ??= now;
    const isSeen = holders === 1 || now - share.joinedAt >= settleMs;
    share.part = isSeen ? 1 / holders : 0;
  }

  return {
    of: (upstream) => (lock.shared ? (now) => ask(upstream, now) : () => 1),
    async stop() {
      stopped = true;
      cancelBeat?.();
      await beating;
      const joined = [...shares].filter(([, { joinedAt }]) => joinedAt !== null);
      const dropped = joined.map(([upstream]) =>
        control.dropLease({ name: `budget/${upstream}/${holder}`, holder }),
      );
      // One that could not be dropped runs out.
      await Promise.allSettled(dropped);
    },
  };
}

function newShare(): Share {
  const never = Number.NEGATIVE_INFINITY;
  return { part: 0, wantedAt: never, joinedAt: null, toldAt: never };
}
