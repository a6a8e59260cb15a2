import type { RequestCounts } from "../batch/batch.ts";
import type { RouteState } from "../batch/progress.ts";
import { type ExecutionProgress, openRoutes } from "../service/progress.ts";
import { routeName } from "./route-line.ts";

/** How a run is doing, as it is shown. */
export interface RunView {
  counts: RequestCounts;
  inFlight: number;
  /** Lines done per second of late; 0 until it can be told. */
  rate: number;
  /** Null until it can be told. */
  etaMs: number | null;
  /** Those that have lines left. */
  routes: RouteState[];
  /** Routes on which nothing new is sent, and why. */
  waits: RouteWait[];
}

export interface RouteWait {
  /** `model at upstream` */
  route: string;
  code: string;
  message: string;
}

/** What the engine tells about a batch that it executes. */
export type EngineView = ExecutionProgress;

/** Turns what the engine tells into what is shown. */
export function runView(progress: EngineView): RunView {
  const { counts, inFlight, rate, routes } = progress;
  const left = counts.total - counts.completed - counts.failed;
  return {
    counts,
    inFlight,
    rate: rate ?? 0,
    etaMs: rate !== null && rate > 0 ? (left / rate) * 1_000 : null,
    routes: openRoutes(progress),
    waits: routes.flatMap((route) =>
      route.reason === null ? [] : [{ route: routeName(route), ...route.reason }],
    ),
  };
}
