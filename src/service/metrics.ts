import { batchStatuses } from "../batch/batch.ts";
import type { ControlStore } from "../control/control-store.ts";
import type { Engine } from "../engine/engine.ts";
import type { Journal } from "../journal/journal.ts";
import { laneMetrics } from "./lane-metrics.ts";
import { processMetrics } from "./process-metrics.ts";
import { waitingReason } from "./progress.ts";

export interface MetricsService {
  /**
   * Figures of the process, of its routes over all projects, and of all batches; the last are left out while the
   * storage does not answer.
   */
  read(): Promise<Metric[]>;
}

/** A figure, as Prometheus understands it: one value for each combination of labels. */
export interface Metric {
  name: string;
  help: string;
  type: "counter" | "gauge";
  samples: MetricSample[];
}

export interface MetricSample {
  labels?: Readonly<Record<string, string>>;
  value: number;
}

/** As many as a process works on at once. */
const mostBatches = 1_000;

/** Nothing is counted for it: all figures are read from where they are anyway. */
export function createMetricsService({
  control,
  journal,
  engine,
}: {
  control: ControlStore;
  journal: Journal;
  engine: Engine;
}): MetricsService {
  async function batches(): Promise<Metric[]> {
    const [counted, queued, unfinished] = await Promise.all([
      control.countBatches(),
      control.countQueuedLines(),
      control.unfinishedBatches(mostBatches),
    ]);
    const byStatus = new Map(counted.map(({ status, batches }) => [status, batches]));
    return [
      {
        name: "nerif_batches",
        help: "Batches of all projects by status.",
        type: "gauge",
        samples: batchStatuses.map((status) => ({ labels: { status }, value: byStatus.get(status) ?? 0 })),
      },
      {
        name: "nerif_lines_queued",
        help: "Lines of all projects that are not done, of batches that are validated or in progress.",
        type: "gauge",
        samples: [{ value: queued }],
      },
      {
        name: "nerif_batches_waiting",
        help: "Batches of this process for which nothing new is sent, by reason.",
        type: "gauge",
        samples: waiting(unfinished.map(({ id }) => id)),
      },
    ];
  }

  function waiting(ids: string[]): MetricSample[] {
    const counts = new Map<string, number>(waitingReasons.map((reason) => [reason, 0]));
    for (const id of ids) {
      const progress = engine.progress(id);
      const code = progress === null ? undefined : waitingReason(progress)?.code;
      if (code !== undefined) counts.set(code, (counts.get(code) ?? 0) + 1);
    }
    return [...counts].map(([reason, value]) => ({ labels: { reason }, value }));
  }

  return {
    async read() {
      return [
        gauge("nerif_executing", "1 when this process executes batches.", engine.running),
        gauge(
          "nerif_disk_full",
          "1 while answers cannot be stored since the disk is full, so that nothing is sent.",
          journal.stalled && journal.stallReason === "disk_full",
        ),
        gauge(
          "nerif_storage_unavailable",
          "1 while answers cannot be stored since the object store takes nothing, so that nothing is sent.",
          journal.stalled && journal.stallReason === "storage_unavailable",
        ),
        // A lack of these figures is what shows that the storage is away; the others matter then all the more.
        ...(await batches().catch(() => [])),
        ...laneMetrics(engine.lanes()),
        ...processMetrics(),
      ];
    },
  };
}

/** They are told from the beginning, with 0, so that each can be seen to rise. */
const waitingReasons = [
  "outage",
  "unreachable",
  "throttled",
  "account",
  "no_upstream",
  "disk_full",
  "storage_unavailable",
];

function gauge(name: string, help: string, isSo: boolean): Metric {
  return { name, help, type: "gauge", samples: [{ value: isSo ? 1 : 0 }] };
}
