import type { EngineDeps } from "./deps.ts";

const lookMs = 2_000;

/** Batches of which other processes have all that is left. Together they cost one question, not one for each. */
export interface Others {
  /**
   * Calls `onNews` once, at the next look after the batch has another version than this, nothing of it is left, or a
   * shard of it can be leased; unless the returned function is called before.
   */
  wait(batch: Waiting, onNews: () => void): () => void;
}

interface Waiting {
  id: string;
  version: number;
}

export function createOthers({ control, clock }: Pick<EngineDeps, "control" | "clock">): Others {
  const waiting = new Map<Waiting, () => void>();
  let cancelLook: (() => void) | null = null;
  let isLooking = false;

  function lookLater(): void {
    if (isLooking || cancelLook !== null || waiting.size === 0) return;
    cancelLook = clock.after(lookMs, () => {
      cancelLook = null;
      void look();
    });
  }

  async function look(): Promise<void> {
    const batches = [...waiting.keys()];
    isLooking = true;
    // A store that does not answer is news too: who looks by himself is told why.
    const held = new Set(await control.heldBatches(batches).catch(() => []));
    isLooking = false;
    for (const batch of batches) if (!held.has(batch.id)) tell(batch);
    lookLater();
  }

  function tell(batch: Waiting): void {
    const onNews = waiting.get(batch);
    waiting.delete(batch);
    onNews?.();
  }

  return {
    wait({ id, version }, onNews) {
      const batch = { id, version };
      waiting.set(batch, onNews);
      lookLater();
      return () => {
        waiting.delete(batch);
        if (waiting.size > 0) return;
        // A timer for nobody would keep the process alive.
        cancelLook?.();
        cancelLook = null;
      };
    },
  };
}
