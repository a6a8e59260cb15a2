import type { EngineDeps } from "./deps.ts";

const leaseMs = 12_000;
const heartbeatMs = 4_000;

/**
 * What only one of the executing processes may do at a time. It saves work and keeps processes out of each other's
 * way; it guards no data: a process that stood still may go on with what another has begun since. What it does then
 * ends in a compare-and-set that fails.
 */
export interface Turns {
  /**
   * Does `work` unless another process does what has this name, and keeps the others away until it has ended.
   * @param onLost called when another process may have begun, because this one stood still for too long
   * @returns whether it was done
   */
  take(name: string, work: () => Promise<void>, options: { onLost: () => void }): Promise<boolean>;
}

/** @param holder names this process for as long as it lives */
export function createTurns({
  control,
  clock,
  lock,
  log,
  holder,
}: Pick<EngineDeps, "control" | "clock" | "lock" | "log"> & { holder: string }): Turns {
  return lock.shared ? { take: takeLeased } : { take: takeAlone };

  async function takeLeased(
    name: string,
    work: () => Promise<void>,
    { onLost }: { onLost: () => void },
  ): Promise<boolean> {
    const lease = { name, holder, leaseMs };
    if (!(await control.takeLease(lease))) return false;
    let ended = false;
    let cancelBeat = () => {};
    let beating = Promise.resolve();

    async function beat(): Promise<void> {
      // While the store is away nobody else gets the lease either, and afterwards it answers.
      const held = await control.takeLease(lease).catch(() => true);
      if (ended) return;
      if (held) beatLater();
      else onLost();
    }

    function beatLater(): void {
      cancelBeat = clock.after(
        heartbeatMs,
        () => {
          beating = beat();
        },
        { keepAlive: false },
      );
    }

    beatLater();
    try {
      await work();
    } finally {
      ended = true;
      cancelBeat();
      await beating;
      await control.dropLease(lease).catch((reason: unknown) => {
        // It runs out by itself.
        log.warn({ err: reason, lease: name }, "Cannot give a lease back");
      });
    }
    return true;
  }
}

/** The lock of the data directory has made sure of it. */
async function takeAlone(_name: string, work: () => Promise<void>): Promise<boolean> {
  await work();
  return true;
}
