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
  routes: readonly {
    endpoint: string | null;
    model: string | null;
    upstream: string | null;
    inFlight: number;
    reason: { code: string; message: string } | null;
    succeeded: number;
  }[];
}

/** The rate is taken over so much of the latest past, in milliseconds. */
const windowMs = 15_000;

/** Turns what the engine tells into what is shown; `now` is in milliseconds that never jump. */
export function createMeter(): (view: EngineView, now: number) => RunView {
  const samples: { at: number; done: number }[] = [];
  return (view, now) => {
    const done = view.counts.completed + view.counts.failed;
    samples.push({ at: now, done });
    while ((samples[1]?.at ?? now) < now - windowMs) samples.shift();
    const first = samples[0] ?? { at: now, done };
    const rate = now - first.at < 500 ? 0 : ((done - first.done) * 1_000) / (now - first.at);
    const left = view.counts.total - done;
    return {
      counts: view.counts,
      inFlight: view.inFlight,
      rate,
      etaMs: rate > 0 ? (left / rate) * 1_000 : null,
      waits: view.routes.flatMap((route) =>
        route.reason === null ? [] : [{ route: routeName(route), ...route.reason }],
      ),
    };
  };
}

function routeName({ model, upstream, endpoint }: EngineView["routes"][number]): string {
  return `${model ?? endpoint ?? "lines of several models"}${upstream === null ? "" : ` at ${upstream}`}`;
}
