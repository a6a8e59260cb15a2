import type { Opened } from "../compose.ts";

/** How often a process that does not execute looks whether it has to, in milliseconds. */
const lookMs = 1_000;

/** Sees to it that the batches of this process go on. */
export interface Keeper {
  /** Looks after what this process executes, and after `batchId`, whoever executes it, until all are final. */
  keep(opened: Opened, batchId?: string): void;
}

/**
 * While this process executes it stays alive until every batch of its data directory is final (its engine's clock
 * decides whether waiting does that). While another process executes this one may end, and it takes over when the
 * other dies first.
 */
export function createKeeper({ execute, closed }: { execute: boolean; closed: AbortSignal }): Keeper {
  const kept = new Set<string>();
  let looking = false;

  function keep(opened: Opened, batchId?: string): void {
    if (batchId !== undefined) kept.add(batchId);
    if (looking || closed.aborted) return;
    looking = true;
    void lookOn(opened).finally(() => {
      looking = false;
      // One that came in while the last look ended.
      if (kept.size > 0) keep(opened);
    });
  }

  async function lookOn(opened: Opened): Promise<void> {
    for (let isOver = false; !isOver && !closed.aborted; ) {
      // Storage may fail for a while. What to make of that is the engine's business; this only looks again.
      isOver = await look(opened).catch(() => false);
      if (isOver) return;
      if (opened.engine.running) await opened.engine.changed(lookMs);
      else await unheldPause();
    }
  }

  /** Returns whether there is nothing left to look after. */
  async function look(opened: Opened): Promise<boolean> {
    const { control, engine } = opened;
    const open = new Set((await control.unfinishedBatches()).map(({ id }) => id));
    for (const id of kept) if (!open.has(id)) kept.delete(id);
    if (engine.running ? open.size === 0 : kept.size === 0) return true;
    if (closed.aborted) return true;
    if (!engine.running && execute && canExecute(opened)) await engine.start();
    return false;
  }

  return { keep };
}

function canExecute({ upstreams }: Opened): boolean {
  try {
    upstreams();
    return true;
  } catch {
    return false;
  }
}

function unheldPause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, lookMs).unref());
}
