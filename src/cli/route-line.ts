import type { RouteState } from "../batch/progress.ts";
import { formatCount } from "./terminal.ts";

/** One route at one upstream in a line: how many calls it has of how many it may have, how fast it is, what it waits for. */
export function routeLine(route: RouteState): string {
  const { rate, waiting, reason, limit_per_second } = route;
  const parts = [inFlightOf(route)];
  if (rate !== null) parts.push(`${formatRate(rate)}/s`);
  if (limit_per_second !== null) parts.push(`at most ${formatRate(limit_per_second)}/s`);
  if (waiting > 0) parts.push(waitingOf(waiting));
  if (reason !== null) parts.push(`${reason.code}: ${reason.message}`);
  return `${routeName(route)}: ${parts.join(", ")}`;
}

/** `model at upstream`, as far as these are known. */
export function routeName({
  model,
  upstream,
  endpoint,
}: Pick<RouteState, "model" | "upstream" | "endpoint">): string {
  return `${model ?? endpoint ?? "lines of several models"}${upstream === null ? "" : ` at ${upstream}`}`;
}

/** `64 of 128 in flight` */
export function inFlightOf({ in_flight, limit }: Pick<RouteState, "in_flight" | "limit">): string {
  return `${formatCount(in_flight)} of ${formatCount(limit)} in flight`;
}

/** Lines that wait for another try. */
export function waitingOf(lines: number): string {
  return `${formatCount(lines)} waiting`;
}

export function formatRate(rate: number): string {
  return rate >= 10 ? formatCount(Math.round(rate)) : rate.toFixed(1);
}
