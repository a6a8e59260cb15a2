/** One reading of something that should not grow. */
export interface Reading {
  /** Milliseconds since any moment. */
  at: number;
  value: number;
}

export interface Growth {
  /** Slope by least squares, per hour. */
  perHour: number;
  /** Half of the interval that holds the slope in 95 of 100 cases, per hour. */
  noise: number;
  /** What the slope comes to from the first reading to the last. */
  whole: number;
}

const hourMs = 3_600_000;

/**
 * Whether a value has grown: by more than `most` over the whole time, and by more than its noise. Null when it has
 * not, else what to say.
 */
export function grown(name: string, readings: readonly Reading[], most: number): string | null {
  const { whole, perHour, noise } = growthOf(readings);
  if (whole <= most || perHour <= noise) return null;
  return `I10 ${name} grew by ${whole.toFixed(1)} (${perHour.toFixed(1)} an hour), ${most} is the most`;
}

/** How a value grows with time. Fewer than three readings show no growth. */
export function growthOf(readings: readonly Reading[]): Growth {
  const count = readings.length;
  const times = readings.map(({ at }) => at);
  const meanAt = mean(times);
  const meanValue = mean(readings.map(({ value }) => value));
  const spread = sum(times.map((at) => (at - meanAt) ** 2));
  if (count < 3 || spread === 0) return { perHour: 0, noise: 0, whole: 0 };
  const slope = sum(readings.map(({ at, value }) => (at - meanAt) * (value - meanValue))) / spread;
  const left = sum(readings.map(({ at, value }) => (value - meanValue - slope * (at - meanAt)) ** 2));
  return {
    perHour: slope * hourMs,
    noise: 1.96 * Math.sqrt(left / (count - 2) / spread) * hourMs,
    whole: slope * (Math.max(...times) - Math.min(...times)),
  };
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
