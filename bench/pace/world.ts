/** A clock and what is to happen, for simulations: time passes from one event to the next. */
export interface World {
  now(): number;
  at(time: number, event: () => void): void;
  /** Runs until nothing is to happen any more, or until `end`. */
  run(end: number): void;
}

/** Events of the same time happen in the order in which they were planned. */
export function createWorld(): World {
  /** A binary heap by time, then by order. */
  const heap: { time: number; order: number; event: () => void }[] = [];
  let now = 0;
  let planned = 0;

  function before(a: number, b: number): boolean {
    const [x, y] = [heap[a], heap[b]];
    if (x === undefined || y === undefined) return false;
    return x.time < y.time || (x.time === y.time && x.order < y.order);
  }

  function swap(a: number, b: number): void {
    const [x, y] = [heap[a], heap[b]];
    if (x === undefined || y === undefined) return;
    heap[a] = y;
    heap[b] = x;
  }

  function next(): { time: number; event: () => void } | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      const least = before(right, left) ? right : left;
      if (!before(least, at)) return first;
      swap(at, least);
      at = least;
    }
  }

  return {
    now: () => now,
    at(time, event) {
      heap.push({ time: Math.max(time, now), order: planned++, event });
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (!before(at, parent)) break;
        swap(at, parent);
        at = parent;
      }
    },
    run(end) {
      for (let first = heap[0]; first !== undefined && first.time <= end; first = heap[0]) {
        const { time, event } = next() ?? first;
        now = time;
        event();
      }
      now = Math.max(now, Math.min(end, Number.MAX_SAFE_INTEGER));
    },
  };
}
