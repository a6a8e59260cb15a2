import type { NerifError } from "../../batch/errors.ts";
import type { Clock } from "../clock.ts";

/** Shortest time between two notices of one batch, in milliseconds: many shards meet the same trouble, again and again. */
const restMs = 30_000;

/** Tells that storage is away and is tried again in `ms` milliseconds, but not every time. */
export function createAwayNotice(
  clock: Clock,
  tell: (error: NerifError, message: string) => void,
): (error: NerifError, ms: number) => void {
  let quietUntil = Number.NEGATIVE_INFINITY;
  return (error, ms) => {
    const now = clock.monotonic();
    if (now < quietUntil) return;
    quietUntil = now + restMs;
    tell(error, `${error.message}; trying again in ${ms} ms`);
  };
}
