import { parseTimeWindow } from "./off-peak.ts";
import type { UpstreamOptions } from "./options.ts";
import { checkedTime, unusable } from "./unusable.ts";
import type { Yielding } from "./upstream.ts";

/**
 * What is left to live traffic; undefined: nothing in particular.
 *
 * @throws NerifError `invalid_configuration`
 */
export function resolveYielding(options: UpstreamOptions): Yielding | undefined {
  const { maxShare = 1, offPeak = [] } = options;
  const targetLatencyMs = checkedTime(options, "targetLatencyMs") ?? null;
  if (!(maxShare > 0 && maxShare <= 1)) {
    throw unusable(options.name, `its max_share is ${maxShare} and must be more than 0 and at most 1`);
  }
  if (offPeak.length > 0 && maxShare === 1)
    throw unusable(options.name, "off_peak needs a max_share below 1");
  const windows = offPeak.map((text) => {
    const window = parseTimeWindow(text);
    if (window !== null) return window;
    const like = "it must look like 22:00-06:00, sat-sun or mon-fri 20:00-07:00";
    throw unusable(options.name, `cannot read ${JSON.stringify(text.slice(0, 100))} in off_peak: ${like}`);
  });
  if (maxShare === 1 && targetLatencyMs === null) return undefined;
  return { maxShare, offPeak: windows, targetLatencyMs };
}

/** @throws NerifError `invalid_configuration` */
export function resolvePriority(options: UpstreamOptions): number | null {
  const { priority = null } = options;
  if (priority === null || (Number.isInteger(priority) && Math.abs(priority) < 2 ** 31)) return priority;
  throw unusable(options.name, `its priority is ${priority} and must be a whole number of 32 bits`);
}
