import type { Batch, RequestCounts } from "../batch/batch.ts";
import { isFinal } from "../batch/lifecycle.ts";
import type { BatchProgress, RouteState, WaitingReason } from "../batch/progress.ts";
import type { Progress, RouteProgress } from "../engine/engine.ts";

/** What the engine tells of a batch that this process executes. */
export type ExecutionProgress = Progress;

/** @param executing what the engine tells of it; null where this process does not execute it */
export function batchProgress(batch: Batch, executing: Progress | null): BatchProgress {
  const done = isFinal(batch.status);
  // It may have ended since the engine was asked.
  const progress = done ? null : executing;
  const request_counts = latest(batch.request_counts, progress?.counts);
  const rate = progress?.rate ?? null;
  const routes = progress === null ? [] : openRoutes(progress);
  return {
    object: "batch.progress",
    id: batch.id,
    state: batch.status,
    waiting_reason: commonReason(routes),
    rate: rounded(rate),
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

/**
 * The routes that have lines left, as `/progress` and `nerif run` show them; those whose lines are all done stay with
 * the engine until the batch ends.
 */
export function openRoutes({ routes }: Pick<Progress, "routes">): RouteState[] {
  const lines = ({ endpoint, model }: RouteProgress) => JSON.stringify([endpoint, model]);
  // At whichever upstream: those with nothing in flight are the ones that somebody looks for.
  const open = new Set(routes.filter(hasLines).map(lines));
  return routes.filter((route) => open.has(lines(route))).map(routeState);
}

function hasLines({ inFlight, ready, waiting }: RouteProgress): boolean {
  return inFlight + ready + waiting > 0;
}

function routeState({
  endpoint,
  model,
  upstream,
  limit,
  limitPerSecond,
  inFlight,
  rate,
  waiting,
  reason,
}: RouteProgress): RouteState {
  const now = { limit, limit_per_second: rounded(limitPerSecond), in_flight: inFlight, rate: rounded(rate) };
  return { endpoint, model, upstream, ...now, waiting, reason };
}

function rounded(rate: number | null): number | null {
  return rate === null ? null : Math.round(rate * 100) / 100;
}

/** Why nothing new is sent for a batch; null when something is, or nothing is left to send. */
export function waitingReason(progress: Progress): WaitingReason | null {
  return commonReason(openRoutes(progress));
}

function commonReason(routes: readonly RouteState[]): WaitingReason | null {
  return routes.every(({ reason }) => reason !== null) ? (routes[0]?.reason ?? null) : null;
}

function secondsLeft({ total, completed, failed }: Progress["counts"], rate: number | null): number | null {
  return rate === null || rate === 0 ? null : Math.ceil((total - completed - failed) / rate);
}
