import { NerifError } from "../batch/errors.ts";
import type { Engine } from "../engine/engine.ts";

/**
 * Waits for the next change of any batch, at the latest for `timeoutMs` milliseconds.
 *
 * @throws NerifError `aborted`
 */
export async function nextChange(
  engine: Engine,
  timeoutMs: number,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  throwIfAborted(signal);
  // A signal of its own for each wait: listeners would pile up on one that lives for a day.
  const waiting = new AbortController();
  const onAbort = () => waiting.abort();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await engine.changed(timeoutMs, waiting.signal);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  throwIfAborted(signal);
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new NerifError("aborted", "Cannot go on: the caller gave up", { cause: signal.reason });
}
