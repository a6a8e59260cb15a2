import type { ControlStore, ShardLease, ShardTally } from "../../control/control-store.ts";
import type { Clock } from "../clock.ts";

/** The lease of a shard, as the process that holds it can judge it by a clock of its own. */
export interface HeldLease {
  /** It may have run out, and another process may have the shard. */
  readonly lapsed: boolean;
  /** Prolongs it and writes the counts. False when another holder has the shard. */
  renew(tally: ShardTally): Promise<boolean>;
  /** Prolongs it again and again, with the counts that it came with, until the returned function is called. */
  keep(): () => Promise<void>;
}

export interface HoldOptions {
  control: Pick<ControlStore, "renewLease">;
  clock: Clock;
  leaseMs: number;
  heartbeatMs: number;
  /** Nobody else can have it, whatever becomes of renewals: a data directory has one executor. */
  alone: boolean;
  /** When it was asked for, by the monotonic clock: it cannot run out earlier than counted from there. */
  since: number;
}

export function holdLease(lease: ShardLease & ShardTally, options: HoldOptions): HeldLease {
  const { control, clock, leaseMs, heartbeatMs } = options;
  let until = options.since + leaseMs;

  async function renew(tally: ShardTally): Promise<boolean> {
    const asked = clock.monotonic();
    const held = await control.renewLease(lease, leaseMs, tally);
    if (held) until = Math.max(until, asked + leaseMs);
    return held;
  }

  return {
    get lapsed() {
      // A full disk may refuse renewals for longer than a lease, and answers wait for room that nobody else has.
      return !options.alone && clock.monotonic() >= until;
    },
    renew,
    keep() {
      let beating = Promise.resolve();
      let isBeating = false;
      let cancel = beatLater();

      function endBeat(): void {
        isBeating = false;
      }

      function beatLater(): () => void {
        return clock.after(heartbeatMs, () => {
          // One at a time: of two under way the earlier may be carried out last, and would shorten the lease again.
          if (!isBeating) {
            isBeating = true;
            // Where it fails the lease runs out, by this clock too.
            beating = renew(lease).then(endBeat, endBeat);
          }
          cancel = beatLater();
        });
      }

      return async () => {
        cancel();
        await beating;
      };
    },
  };
}
