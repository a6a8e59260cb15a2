import type { Clock } from "./clock.ts";

/** Waits `ms` milliseconds, or until `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal, after: Clock["after"]): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = after(ms, resolve);
  const wake = () => resolve();
  signal.addEventListener("abort", wake);
  await promise;
  signal.removeEventListener("abort", wake);
  cancel();
}
