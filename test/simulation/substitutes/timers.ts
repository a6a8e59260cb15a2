import { beginning, theWorld } from "../world/world.ts";

/** Puts the clocks, timers and chance of the world in the place of Node's, for the whole process. */
export function replaceGlobals(): void {
  Date.now = () => beginning + theWorld().now + theWorld().wallOffset;
  performance.now = () => theWorld().now;
  Math.random = () => theWorld().random.next();
  Object.assign(globalThis, { setTimeout: startTimer, clearTimeout: stopTimer, setImmediate: startNext });
}

interface Timer {
  cancel(): void;
  ref(): Timer;
  unref(): Timer;
}

function startTimer(callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Timer {
  return createTimer(theWorld().later(theWorld().life, Math.max(1, ms), () => callback(...args)));
}

/** Behind everything that is due at this moment. */
function startNext(callback: (...args: unknown[]) => void, ...args: unknown[]): Timer {
  return createTimer(theWorld().later(theWorld().life, 0, () => callback(...args)));
}

function stopTimer(timer: Timer | null | undefined): void {
  timer?.cancel();
}

function createTimer(cancel: () => void): Timer {
  const timer: Timer = { cancel, ref: () => timer, unref: () => timer };
  return timer;
}
