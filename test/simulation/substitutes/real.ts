/** Node's own clocks and timers, kept before they are replaced. */
export const realImmediate = setImmediate;
export const realNow = performance.now.bind(performance);
