import { formatDuration } from "../batch/duration.ts";
import type { RouteState } from "../batch/progress.ts";
import { formatRate, inFlightOf, routeLine, waitingOf } from "./route-line.ts";
import type { RunView } from "./run-view.ts";
import { counted, formatCount } from "./terminal.ts";

/** So many routes are shown one by one. */
const mostRoutes = 6;

/** How a run is doing, in one line. The pace is in it when there is one route; several have lines of their own. */
export function progressText({ counts, rate, inFlight, etaMs, routes }: RunView): string {
  const [route, ...more] = routes;
  const waiting = routes.reduce((sum, one) => sum + one.waiting, 0);
  const parts = [
    `${formatCount(counts.completed + counts.failed)}/${formatCount(counts.total)} done`,
    `${formatCount(counts.failed)} failed`,
    `${formatRate(rate)}/s`,
    route !== undefined && more.length === 0 ? inFlightOf(route) : `${formatCount(inFlight)} in flight`,
  ];
  if (waiting > 0) parts.push(waitingOf(waiting));
  if (route?.reason && more.length === 0) parts.push(route.reason.code);
  if (etaMs !== null) parts.push(`about ${formatDuration(etaMs)} left`);
  return parts.join(", ");
}

/** A line for each route when there are several; of many for those that wait, and those with most in flight. */
export function routeTexts({ routes }: RunView): string[] {
  if (routes.length < 2) return [];
  const chosen = new Set(routes.toSorted((a, b) => urgency(b) - urgency(a)).slice(0, mostRoutes));
  // In an order that stays: lines that change places cannot be read.
  const lines = routes.filter((route) => chosen.has(route)).map((route) => `  ${routeLine(route)}`);
  const left = routes.length - mostRoutes;
  return left > 0 ? [...lines, `  and ${counted(left, "more route")}`] : lines;
}

function urgency({ reason, in_flight }: RouteState): number {
  return reason === null ? in_flight : Number.POSITIVE_INFINITY;
}
