import type { RequestCounts } from "../batch/batch.ts";

/** How a run is doing, as it is shown. */
export interface RunView {
  counts: RequestCounts;
  inFlight: number;
  /** Lines done per second of late; 0 until it can be told. */
  rate: number;
  /** Null until it can be told. */
  etaMs: number | null;
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
export interface EngineView {
  counts: RequestCounts;
  inFlight: number;
  rate: number | null;
  routes: readonly {
    endpoint: string | null;
    model: string | null;
    upstream: string | null;
    inFlight: number;
    reason: { code: string; message: string } | null;
    succeeded: number;
  }[];
}

/** Turns what the engine tells into what is shown. */
export function runView({ counts, inFlight, rate, routes }: EngineView): RunView {
  const left = counts.total - counts.completed - counts.failed;
  return {
    counts,
    inFlight,
    rate: rate ?? 0,
    etaMs: rate !== null && rate > 0 ? (left / rate) * 1_000 : null,
    waits: routes.flatMap((route) =>
      route.reason === null ? [] : [{ route: routeName(route), ...route.reason }],
    ),
  };
}

/** `model at upstream`, as far as these are known. */
export function routeName({
  model,
  upstream,
  endpoint,
}: Pick<EngineView["routes"][number], "model" | "upstream" | "endpoint">): string {
  return `${model ?? endpoint ?? "lines of several models"}${upstream === null ? "" : ` at ${upstream}`}`;
}
