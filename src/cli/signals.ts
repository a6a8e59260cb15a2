import { exitCodes } from "./exit-codes.ts";

export interface Grace {
  /** Milliseconds that calls in flight get after Ctrl-C. */
  interruptMs: number;
  /** Milliseconds that they get after SIGTERM, or when the terminal is closed. */
  terminateMs: number;
}

/**
 * Calls `onFirst` with the grace at the first signal; the second one ends the process at once, which is safe at
 * any moment.
 *
 * @returns a function that stops listening
 */
export function onStopSignal(
  { interruptMs, terminateMs }: Grace,
  onFirst: (graceMs: number) => void,
): () => void {
  let stopping = false;
  const listen = (graceMs: number) => () => {
    if (stopping) process.exit(exitCodes.interrupted);
    stopping = true;
    onFirst(graceMs);
  };
  const listeners = [
    ["SIGINT", listen(interruptMs)],
    ["SIGTERM", listen(terminateMs)],
    ["SIGHUP", listen(terminateMs)],
  ] as const;
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
