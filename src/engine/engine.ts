import type { RequestCounts } from "../batch/batch.ts";
import type { Journal } from "../journal/journal.ts";
import type { FailureReason } from "../upstreams/upstream.ts";

/** Runs the batches of one control store. What it does to them is in `run-batch.ts`. */
export interface Engine {
  /**
   * Tries to become the executor and, if it does, takes up every batch that is not final. Safe to call again.
   * @returns whether this process executes now
   */
  start(): Promise<boolean>;
  /** Whether this process executes. */
  readonly running: boolean;
  /** Looks at once for work that this process itself has just written to the control store. */
  wake(): void;
  /** How a batch that this process executes is doing; null for any other. */
  progress(batchId: string): Progress | null;
  /**
   * How all routes fare that this process has sent something on or has been about to; those of one upstream in the
   * order in which they came up, and behind them what those had counted that are forgotten (`idle-lanes.ts`).
   */
  lanes(): LaneState[];
  /** Resolves at the next change of any batch that this process can see, at the latest after `timeoutMs`. */
  changed(timeoutMs: number, signal?: AbortSignal): Promise<void>;
  /**
   * Runs nothing until `start` is called again: calls in flight get `graceMs` milliseconds, and what it had goes back.
   * For a process that shares its store with others which go on; it keeps the executor lock, and keeps house.
   */
  rest(graceMs: number): Promise<void>;
  /**
   * Sends nothing new, gives calls in flight `graceMs` milliseconds, hands everything else back and gives the
   * executor lock away. Batches stay resumable. A stopped engine does not start again.
   */
  stop(graceMs: number): Promise<void>;
}

export interface Progress {
  counts: RequestCounts;
  /** Calls sent and not yet durable. */
  inFlight: number;
  /** Lines done per second over about the last 30 seconds; null until it can be told. */
  rate: number | null;
  routes: RouteProgress[];
}

/** One route at one upstream, over all batches of this process. */
export interface LaneState {
  upstream: string;
  endpoint: string;
  model: string | null;
  /** Calls that may be in flight at once, as far as is known now. */
  limit: number;
  /** Requests per second that the upstream lets through, learned from its refusals; null when it has refused none. */
  limitPerSecond: number | null;
  inFlight: number;
  /** Lines that wait for another try. */
  waiting: number;
  /** Successes per second over about the last 30 seconds; null when no batch has lines for it, or until it can be told. */
  rate: number | null;
  /** Why nothing new is sent though there is something to send. */
  reason: "outage" | "unreachable" | "throttled" | "account" | null;
  /** Calls that came back with success. */
  succeeded: number;
  /** Calls that came back without, by why. */
  failures: Readonly<Record<FailureReason, number>>;
}

export interface RouteProgress {
  endpoint: string | null;
  model: string | null;
  upstream: string | null;
  /** Calls that may be in flight at once, as far as is known now. */
  limit: number;
  /** Requests per second that the upstream lets through, learned from its refusals; null when it has refused none. */
  limitPerSecond: number | null;
  inFlight: number;
  /** Successes per second of late at this upstream, over all batches of this process; null until it can be told. */
  rate: number | null;
  /** Lines that are ready to be sent, as far as they are loaded. */
  ready: number;
  /** Lines that wait for another try. */
  waiting: number;
  /** Why nothing new is sent, or null when something is. */
  reason: {
    code: "outage" | "unreachable" | "throttled" | "account" | "no_upstream" | Journal["stallReason"];
    message: string;
  } | null;
  /** Answers that succeeded since this process took the route up. */
  succeeded: number;
}
