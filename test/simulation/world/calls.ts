import { isIn } from "../weather.ts";
import { fail } from "./disk.ts";
import type { Sync } from "./file-node.ts";
import { type Life, theWorld } from "./world.ts";

export interface CallOptions {
  /** Longest time that it takes, in milliseconds. */
  slowest: number;
  /** Nothing, or what it fails with instead. */
  refusal?: (() => Error | null) | undefined;
}

/**
 * A call to the outside that takes its time. When the caller's life ends in the meantime it has been carried out
 * or not, and no answer comes.
 */
export function callLater<T>(name: string, effect: () => T, { slowest, refusal }: CallOptions): Promise<T> {
  const world = theWorld();
  const { life, random, trace } = world;
  if (life?.dead) return never();
  trace.note(name);
  if (isLastCall(life)) {
    if (random.chance(0.5) && !refusal?.()) attempt(effect);
    dieNow();
    return never();
  }
  return new Promise((resolve, reject) => {
    life?.underWay.add(finish);
    world.later(life, random.next() * slowest, () => {
      life?.underWay.delete(finish);
      const refused = refusal?.() ?? null;
      if (refused !== null) return reject(refused);
      try {
        resolve(effect());
      } catch (reason) {
        reject(reason);
      }
    });
  });

  function finish(): void {
    if (!refusal?.()) attempt(effect);
  }
}

/** A new one each time: one for all would keep everything that ever waited for it. */
function never(): Promise<never> {
  return new Promise(() => {});
}

/** Nobody hears of the failure of a call whose caller is dead. */
function attempt(effect: () => unknown): void {
  try {
    effect();
  } catch {
    // See above.
  }
}

/**
 * A call to the outside within a turn.
 * @param effect is given the share of it that is carried out: 1, or less when the life ends in its middle
 */
export function callNow<T>(name: string, { dead, effect }: { dead: T; effect: (share: number) => T }): T {
  const { life, random, trace } = theWorld();
  if (life?.dead) return dead;
  trace.note(name);
  if (!isLastCall(life)) return effect(1);
  effect(random.next());
  dieNow();
  return dead;
}

/** Counts a call; whether the caller dies in it. */
export function isLastCall(life: Life | null): boolean {
  return life !== null && --life.callsLeft <= 0 && theWorld().now < theWorld().weather.quietAt;
}

export function dieNow(): void {
  const world = theWorld();
  if (world.life === null || world.life.dead) return;
  world.kill(world.life, world.random.chance(world.weather.powerShare) ? "power" : "kill");
}

export function isDiskFull(): boolean {
  const { weather, now } = theWorld();
  return isIn(weather.diskFull, now);
}

export function refuseWhenFull(what: string): void {
  if (isDiskFull()) fail("ENOSPC", what);
}

/** What ends a sync that begins now; it fails now and then. */
export function endOf(sync: Sync, what: string): () => void {
  const { life } = theWorld();
  return () => {
    if (life !== null && !life.dead && happens(theWorld().weather.syncFailures)) {
      life.syncFailed = true;
      sync.fail();
      fail("EIO", what);
    }
    sync.succeed();
  };
}

/** Whether something that happens with this probability happens now; nothing does once all is quiet. */
export function happens(probability: number): boolean {
  const { weather, now, random } = theWorld();
  return probability > 0 && now < weather.quietAt && random.chance(probability);
}
