import type { Batch, RequestCounts } from "../batch/batch.ts";
import { isFinal } from "../batch/lifecycle.ts";
import type { BatchProgress, RouteState, WaitingReason } from "../batch/progress.ts";
import type { Progress, RouteProgress } from "../engine/engine.ts";

/** @param executing what the engine tells of it; null where this process does not execute it */
export function batchProgress(batch: Batch, executing: Progress | null): BatchProgress {
  const done = isFinal(batch.status);
  // It may have ended since the engine was asked.
  const progress = done ? null : executing;
  const request_counts = latest(batch.request_counts, progress?.counts);
  const rate = progress?.rate ?? null;
  const routes = (progress?.routes ?? []).filter(isOpen).map(routeState);
  return {
    object: "batch.progress",
    id: batch.id,
    state: batch.status,
    waiting_reason: commonReason(routes),
    rate: rate === null ? null : Math.round(rate * 100) / 100,
    eta_seconds: done ? 0 : secondsLeft(request_counts, rate),
    request_counts,
    routes,
  };
}

/**
 * What this process has counted itself is ahead of what the control store knows by some seconds; where several processes
 * run the batch, the control store knows of all of them.
 */
function latest(known: RequestCounts, counted: RequestCounts = known): RequestCounts {
  return {
    total: known.total,
    completed: Math.max(known.completed, counted.completed),
    failed: Math.max(known.failed, counted.failed),
  };
}

/** Routes whose lines are all done stay with the engine until the batch ends. */
function isOpen({ inFlight, ready, waiting }: RouteProgress): boolean {
  return inFlight + ready + waiting > 0;
}

function routeState({
  endpoint,
  model,
  upstream,
  limit,
  limitPerSecond,
  inFlight,
  waiting,
  reason,
}: RouteProgress): RouteState {
  const rate = limitPerSecond === null ? null : Math.round(limitPerSecond * 100) / 100;
  const now = { limit, limit_per_second: rate, in_flight: inFlight, waiting, reason };
  return { endpoint, model, upstream, ...now };
}

function commonReason(routes: readonly RouteState[]): WaitingReason | null {
  return routes.every(({ reason }) => reason !== null) ? (routes[0]?.reason ?? null) : null;
}

function secondsLeft({ total, completed, failed }: Progress["counts"], rate: number | null): number | null {
  return rate === null || rate === 0 ? null : Math.ceil((total - completed - failed) / rate);
}
