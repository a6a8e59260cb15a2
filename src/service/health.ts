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

/** How old an answer of the storage may be that others are given too, in milliseconds. */
const freshMs = 1_000;

interface HealthDeps {
  control: ControlStore;
  files: FileStore;
  journal: Journal;
  engine: Engine;
  /** Milliseconds that only grow. Default: the system's. */
  monotonic?: () => number;
}

export function createHealthService({
  control,
  files,
  journal,
  engine,
  monotonic = () => performance.now(),
}: HealthDeps): HealthService {
  // Anybody can ask as often as he likes, and each of these may be a request that is paid for.
  const filesAnswer = onceIn(freshMs, { monotonic, ask: () => files.size(probeKey) });
  const controlAnswers = onceIn(freshMs, { monotonic, ask: () => control.unfinishedBatches(1) });

  async function waitingRoutes(project: string | null): Promise<WaitingRoute[]> {
    // Who is told nothing: one batch shows as well that the storage answers.
    if (project === null) {
      await controlAnswers();
      return [];
    }
    const running = (await control.unfinishedBatches()).filter((batch) => batch.project === project);
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
        const [waiting] = await Promise.all([waitingRoutes(project), filesAnswer()]);
        if (journal.stalled) return { ready: false, reason: journal.stallReason, waiting };
        return { ready: true, reason: null, waiting };
      } catch {
        return { ready: false, reason: "storage_unavailable", waiting: [] };
      }
    },
  };
}

/** Asks at most once in a time, and no second time while an answer is awaited; all others get the one that there is. */
function onceIn<T>(
  ms: number,
  { monotonic, ask }: { monotonic: () => number; ask: () => Promise<T> },
): () => Promise<T> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let underWay = false;
  let answer: Promise<T> | null = null;
  return () => {
    if (answer !== null && (underWay || monotonic() - askedAt < ms)) return answer;
    askedAt = monotonic();
    underWay = true;
    answer = ask().finally(() => {
      underWay = false;
    });
    return answer;
  };
}

/** No file has this name; asking for its size shows whether the store answers. */
const probeKey = "ready";
