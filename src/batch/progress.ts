import type { BatchStatus, RequestCounts } from "./batch.ts";

/** How a batch is doing right now. */
export interface BatchProgress {
  object: "batch.progress";
  id: string;
  /** The status of the batch. */
  state: BatchStatus;
  /** Why nothing new is sent on any route that has lines left; null when something is, or nothing is left. */
  waiting_reason: WaitingReason | null;
  /** Lines done per second over about the last 30 seconds; null when it cannot be told. */
  rate: number | null;
  /** Seconds until the last line is done if the rate stays; null when it cannot be told, 0 when the batch is final. */
  eta_seconds: number | null;
  request_counts: RequestCounts;
  /** The routes that have lines left. None where another process executes the batch, or nobody does. */
  routes: RouteState[];
}

export interface WaitingReason {
  code: string;
  message: string;
}

/** Lines of one endpoint and model. */
export interface RouteState {
  /** Null where lines of several endpoints wait for one reason. */
  endpoint: string | null;
  model: string | null;
  /** Name of the model server; null when none is configured for the model. */
  upstream: string | null;
  /** Calls that may be in flight at once at this upstream, as far as is known now. */
  limit: number;
  /** Requests per second that the upstream lets through, learned from its refusals; null when it has refused none. */
  limit_per_second: number | null;
  in_flight: number;
  /** Successes per second of late at this upstream, over all batches; null when it cannot be told. */
  rate: number | null;
  /** Lines that wait for another try. */
  waiting: number;
  /** Why nothing new is sent; null when something is. */
  reason: WaitingReason | null;
}
