/** The clock of a database server as far as this process knows it, in milliseconds. */
export interface ServerClock {
  now(): number;
  /** What the server's clock showed at some time between the question, by this process's clock, and now. */
  told(answer: { asked: number; server: number }): void;
}

/**
 * Later than the server's only when that was set back. An answer that was long on its way, or was read late because this
 * process stood still, tells little: it does not put back what is known better.
 *
 * @param monotonic this process's clock
 */
export function createServerClock(monotonic: () => number): ServerClock {
  /** What the server's clock shows beyond this process's. */
  let ahead = Number.NEGATIVE_INFINITY;
  return {
    now: () => ahead + monotonic(),
    told({ asked, server }) {
      const [least, most] = [server - monotonic(), server - asked];
      ahead = Math.min(Math.max(ahead, least), most);
    },
  };
}
