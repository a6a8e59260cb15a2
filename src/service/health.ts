import type { ControlStore } from "../control/control-store.ts";
import type { Engine, RouteProgress } from "../engine/engine.ts";
import type { FileStore } from "../files/file-store.ts";
import type { Journal } from "../journal/journal.ts";

export interface HealthService {
  /**
   * Whether requests can be served; upstreams in trouble make nobody unready, their routes are only listed.
   * @param project whose batches' routes are listed; null: nobody's
   */
  ready(project: string | null): Promise<Readiness>;
}

export interface Readiness {
  ready: boolean;
  /** Why not; null when ready. */
  reason: "storage_unavailable" | "disk_full" | null;
  /** Routes of running batches on which nothing new is sent. */
  waiting: WaitingRoute[];
}

export interface WaitingRoute extends Pick<RouteProgress, "endpoint" | "model" | "upstream"> {
  batch: string;
  reason: string;
  message: string;
}

export function createHealthService({
  control,
  files,
  journal,
  engine,
}: {
  control: ControlStore;
  files: FileStore;
  journal: Journal;
  engine: Engine;
}): HealthService {
  async function waitingRoutes(project: string | null): Promise<WaitingRoute[]> {
    // Who is told nothing can ask as often as he likes: one batch shows as well that the storage answers.
    const batches = await control.unfinishedBatches(project === null ? 1 : undefined);
    const running = batches.filter((batch) => batch.project === project);
    return running.flatMap((batch) =>
      (engine.progress(batch.id)?.routes ?? []).flatMap(({ endpoint, model, upstream, reason }) =>
        reason === null
          ? []
          : [{ batch: batch.id, endpoint, model, upstream, reason: reason.code, message: reason.message }],
      ),
    );
  }

  return {
    async ready(project) {
      try {
        const [waiting] = await Promise.all([waitingRoutes(project), files.size(probeKey)]);
        if (journal.stalled) return { ready: false, reason: journal.stallReason, waiting };
        return { ready: true, reason: null, waiting };
      } catch {
        return { ready: false, reason: "storage_unavailable", waiting: [] };
      }
    },
  };
}

/** No file has this name; asking for its size shows whether the store answers. */
const probeKey = "ready";
