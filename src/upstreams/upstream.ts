import type { Tokens } from "../batch/usage.ts";

/** A model server. */
export interface Upstream {
  /** Unique among the configured upstreams; shown in progress and logs. */
  readonly name: string;
  /** Whether lines with this model go here. */
  serves(model: string | null): boolean;
  readonly bounds: UpstreamBounds;
  /**
   * Sends one line. What becomes of it is told to `onAnswer`, once and never before this returns: a failure is an
   * answer too. When `signal` aborts, the call is broken off and answers `aborted`.
   */
  send(call: UpstreamCall): void;
  /** Models that the server lists, for `GET /v1/models`. @throws NerifError `upstream_unreachable` */
  models(signal: AbortSignal): Promise<unknown[]>;
  close(): Promise<void>;
}

/** How fast an upstream may be asked, from the configuration. */
export interface UpstreamBounds {
  /** Calls that may be in flight at once, from this process. The same number twice is a fixed limit. */
  concurrency: { least: number; most: number };
  /** Null: no limit. */
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  /** What is left to live traffic at the same upstream. Undefined: nothing in particular. */
  yields?: Yielding | undefined;
}

/** How batch traffic makes room for others. */
export interface Yielding {
  /** Share of the calls at once that it may take, above 0 and up to 1. */
  maxShare: number;
  /** When it may take all of them. */
  offPeak: readonly TimeWindow[];
  /** Mean milliseconds of an answer above which it takes fewer; null: none. */
  targetLatencyMs: number | null;
}

/** A stretch of local time that comes back on days of the week. */
export interface TimeWindow {
  /** The days on which it begins; 0 is Sunday. */
  days: readonly number[];
  /** Its beginning, in minutes after midnight. */
  from: number;
  /** Its length, at most a day; it may go on after midnight. */
  minutes: number;
}

export interface UpstreamCall {
  /** `/v1/chat/completions` and so on; the upstream knows what of it belongs to its own base URL. */
  endpoint: string;
  /** The request body, sent byte for byte. */
  body: Uint8Array;
  idempotencyKey: string;
  signal: AbortSignal;
  /**
   * No promise: a line that is sent out of here goes out on the connection that has just become free, before that
   * counts as idle, which halves what undici does for it.
   */
  onAnswer: (answer: Answer) => void;
}

export type Answer = Success | Failure;

export interface Success {
  ok: true;
  status: number;
  /** The upstream's own request id, if it gave one. */
  requestId: string | null;
  /** JSON text as the upstream sent it, raw newlines made spaces. */
  body: Uint8Array;
  tokens: Tokens | null;
  /** What the upstream said that it will still take; absent when it said nothing. */
  limits?: RateLimits;
}

/** Why a call did not succeed; what follows from it is decided in `engine/dispatch/retry.ts`. */
export type FailureReason =
  /** A final answer: 4xx other than those below, or a 200 that carries an error. */
  | "rejected"
  /** 401, 403, or a code that says that the account has no credit. */
  | "account"
  /** 429. */
  | "throttled"
  /** 408, 409, 5xx, or an answer that is not JSON. */
  | "unavailable"
  /** Nobody accepted the connection, so nothing was sent. */
  | "refused"
  /** The connection broke before the answer was whole. */
  | "reset"
  | "timeout"
  | "too_large"
  /** The caller's signal. */
  | "aborted";

export interface Failure {
  ok: false;
  reason: FailureReason;
  /** Null when no answer came. */
  status: number | null;
  requestId: string | null;
  /** JSON text for the error file, or null when no answer came. */
  body: Uint8Array | null;
  error: { code: string; message: string; type: string };
  /** How long the upstream asked to wait, in milliseconds (429 and 503 only). */
  retryAfterMs: number | null;
  limits?: RateLimits;
}

/** `x-ratelimit-*` headers of an answer, as far as they were there and made sense. */
export interface RateLimits {
  requests: RateLimit | null;
  tokens: RateLimit | null;
}

export interface RateLimit {
  limit: number;
  remaining: number;
  /** Milliseconds until `remaining` is `limit` again. */
  resetMs: number;
}
