import type { Opened } from "../compose.ts";

/** How often a process that does not execute looks whether it has to, in milliseconds. */
const lookMs = 1_000;

/** What calls in flight for batches of others get when this process has nothing of its own left, in milliseconds. */
const leaveMs = 30_000;

/** Sees to it that the batches of this process go on. */
export interface Keeper {
  /** Looks after what this process executes, and after `batchId`, whoever executes it, until all are final. */
  keep(opened: Opened, batchId?: string): void;
  /** Somebody waits for something of this process, until the returned function is called: it lives, and goes on. */
  hold(opened: Opened): () => void;
  /** From now on it executes for whoever asks it, as a server does, and not only for its own sake. */
  serve(): void;
}

/**
 * While this process executes it stays alive until every batch of its data directory is final (its engine's clock
 * decides whether waiting does that). While another process executes this one may end, and it takes over when the
 * other dies first.
 *
 * On a database, where others execute too, it executes whatever there is, but only as long as something of its own is
 * not final: what it was to look after. What it then has of others goes back to them, or a busy database would never
 * let it end.
 */
export function createKeeper({ execute, closed }: { execute: boolean; closed: AbortSignal }): Keeper {
  const kept = new Set<string>();
  let holders = 0;
  let isServer = false;
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
    while (!closed.aborted) {
      // Storage may fail for a while. What to make of that is the engine's business; this only looks again.
      const isOver = await look(opened).catch(() => false);
      if (isOver) return leaveOthers(opened);
      if (opened.engine.running) await opened.engine.changed(lookMs);
      else await unheldPause();
    }
  }

  /** Returns whether there is nothing left to look after. */
  async function look(opened: Opened): Promise<boolean> {
    const { control, engine } = opened;
    const open = new Set((await control.unfinishedBatches()).map(({ id }) => id));
    for (const id of kept) if (!open.has(id)) kept.delete(id);
    const left = engine.running && !isShared(opened) ? open : kept;
    if (left.size === 0 || closed.aborted) return true;
    if (!engine.running && execute && canExecute(opened)) await engine.start();
    return false;
  }

  async function leaveOthers(opened: Opened): Promise<void> {
    // Who waits still looks again when that is over.
    if (isShared(opened) && holders === 0 && kept.size === 0 && !isServer) await opened.engine.rest(leaveMs);
  }

  return {
    keep,
    hold(opened) {
      holders += 1;
      // Who waits for something wants the process to live until it comes, also with `keepAlive: false`.
      const timer = setInterval(() => {}, 2 ** 30);
      return () => {
        holders -= 1;
        clearInterval(timer);
        if (opened.engine.running) keep(opened);
      };
    },
    serve() {
      isServer = true;
    },
  };
}

function isShared({ lock }: Opened): boolean {
  return lock.shared === true;
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
