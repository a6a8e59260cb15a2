/** The rate is taken over so much of the latest past, in milliseconds. */
const windowMs = 30_000;
/** Least time between two samples that are kept, and over which a rate is told, in milliseconds. */
const stepMs = 500;

/**
 * How fast something grows.
 *
 * @returns a function that notes how much is done at a time in milliseconds that never jump, and answers with how much
 *   was done per second of late; null until it can be told. Called often it samples; it has to be called now and then.
 */
export function createRateMeter(): (done: number, now: number) => number | null {
  const samples: { at: number; done: number }[] = [];
  return (done, now) => {
    const last = samples.at(-1);
    if (last === undefined || now - last.at >= stepMs) samples.push({ at: now, done });
    // The oldest that is kept lies just outside, so that the window is always full.
    while ((samples[1]?.at ?? now) <= now - windowMs) samples.shift();
    const first = samples[0];
    if (first === undefined || now - first.at < stepMs) return null;
    return Math.max(0, ((done - first.done) * 1_000) / (now - first.at));
  };
}
