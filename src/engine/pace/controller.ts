import type { Answer, RateLimits } from "../../upstreams/upstream.ts";
import { createAllowance } from "./allowance.ts";
import type { Budget } from "./budget.ts";
import { type ConcurrencyOptions, createConcurrency } from "./concurrency.ts";
import { createCrowd } from "./crowd.ts";
import { createLearnedRate } from "./learned-rate.ts";
import { createSpacing } from "./spacing.ts";
import { createTokenEstimate } from "./token-estimate.ts";
import { createYielding, type YieldingOptions } from "./yielding.ts";

/** How fast one route may be asked at one upstream. Consulted for every call: plain numbers, nothing allocated. */
export interface Controller {
  /** Calls that may be in flight at once, as far as is known now. */
  readonly limit: number;
  readonly inFlight: number;
  /** Requests per second that the upstream lets through, learned from its refusals; null when it has not refused any. */
  readonly ratePerSecond: number | null;
  /** Milliseconds until a call with a body of so many bytes may be sent: 0 now, Infinity when an answer has to come first. */
  waitMs(now: number, bytes: number): number;
  /** Milliseconds that are left of a pause that the upstream asked for. */
  pauseMs(now: number): number;
  sent(call: PacedCall, now: number): void;
  answered(call: PacedCall, answer: Answer, now: number): void;
  /** The upstream is back after an outage: begins with a few calls. */
  restart(now: number): void;
}

/** What is kept with a call while it is in flight. */
export interface PacedCall {
  readonly body: { readonly length: number };
  sentAt: number;
  /** Tokens that were set aside for it. */
  tokens: number;
  /** Calls in flight when it was sent, itself among them. */
  atOnce: number;
}

export interface ControllerOptions extends ConcurrencyOptions {
  /** Of the configuration, shared by all routes of the upstream; null: none. */
  requests: Budget | null;
  tokens: Budget | null;
  /** What is left to others; null: nothing in particular. */
  yields: Omit<YieldingOptions, keyof ConcurrencyOptions> | null;
}

/** Longer wishes are cut: a wrong header must not put a route to sleep for days. */
export const longestPauseMs = 10 * 60_000;
/** After so long without a call the upstream may have become another one. */
const restMs = 60_000;

export function createController(options: ControllerOptions): Controller {
  const { requests, tokens } = options;
  const learned = createConcurrency(options);
  const { yields } = options;
  const concurrency = yields === null ? learned : createYielding(learned, { ...options, ...yields });
  const rate = createLearnedRate();
  const crowd = createCrowd();
  const spacing = createSpacing();
  const requestAllowance = createAllowance();
  const tokenAllowance = createAllowance();
  const estimate = createTokenEstimate();
  let countsTokens = tokens !== null;
  let inFlight = 0;
  let tokensInFlight = 0;
  /** When as many calls as are allowed were in flight the last time. */
  let fullAt = Number.NEGATIVE_INFINITY;
  let pausedUntil = Number.NEGATIVE_INFINITY;
  let lastAnswerAt = Number.POSITIVE_INFINITY;

  /** The longest of all waits; anything that is not limited costs a comparison. */
  function waitMs(now: number, bytes: number): number {
    if (inFlight >= concurrency.limit) return Number.POSITIVE_INFINITY;
    let wait = Math.max(
      pausedUntil - now,
      rate.waitMs(now),
      spacing.waitMs(now),
      requestAllowance.waitMs(now, 1),
      0,
    );
    if (requests !== null) wait = Math.max(wait, requests.waitMs(now, 1));
    if (!countsTokens) return wait;
    const cost = estimate.of(bytes);
    wait = Math.max(wait, tokenAllowance.waitMs(now, cost));
    return tokens === null ? wait : Math.max(wait, tokens.waitMs(now, cost));
  }

  function sent(call: PacedCall, now: number): void {
    if (inFlight === 0 && now - lastAnswerAt > restMs) restart(now);
    inFlight += 1;
    if (inFlight >= concurrency.limit) fullAt = now;
    call.sentAt = now;
    call.atOnce = inFlight;
    rate.sent(now);
    spacing.sent(now, concurrency.limit);
    requestAllowance.spend(now, 1);
    requests?.spend(now, 1);
    if (!countsTokens) return;
    call.tokens = estimate.of(call.body.length);
    tokensInFlight += call.tokens;
    tokenAllowance.spend(now, call.tokens);
    tokens?.spend(now, call.tokens);
  }

  function restart(now: number): void {
    concurrency.restart(now);
    spacing.restart();
  }

  function answered(call: PacedCall, answer: Answer, now: number): void {
    inFlight -= 1;
    lastAnswerAt = now;
    rate.returned(call.sentAt);
    settleTokens(call, answer, now);
    if (answer.limits !== undefined) told(answer.limits, now);
    if (answer.ok) {
      spacing.served(call.sentAt, now);
      crowd.served(call);
      rate.served(call.sentAt);
      concurrency.served(call.sentAt, now, fullAt >= call.sentAt);
      return;
    }
    const retryAfterMs = answer.retryAfterMs === null ? null : Math.min(answer.retryAfterMs, longestPauseMs);
    if (retryAfterMs !== null) pausedUntil = Math.max(pausedUntil, now + retryAfterMs);
    switch (answer.reason) {
      case "throttled":
        spacing.begin(now);
        if (retryAfterMs === null) {
          if (crowd.refused(call, now, retryAfterMs !== null)) concurrency.refused(call.sentAt, now);
          else rate.refused(call.sentAt, now, 1_000);
        } else if (crowd.refused(call, now, retryAfterMs !== null)) {
          concurrency.crowded(call.sentAt, now, { most: crowd.limit, pauseMs: retryAfterMs });
          rate.paused(now, retryAfterMs);
        } else rate.refused(call.sentAt, now, retryAfterMs);
        break;
      case "unavailable":
      case "reset":
      case "timeout":
        concurrency.failed(call.sentAt, now);
        break;
      // Nothing of these says how fast the upstream is.
      case "rejected":
      case "too_large":
      case "refused":
      case "account":
      case "aborted":
    }
  }

  function settleTokens(call: PacedCall, answer: Answer, now: number): void {
    if (!countsTokens) return;
    tokensInFlight -= call.tokens;
    if (answer.ok && answer.tokens !== null) {
      const { input, output } = answer.tokens;
      estimate.learn(call.body.length, answer.tokens);
      tokens?.correct(call.sentAt, now, input + output - call.tokens);
    } else if (!answer.ok && answer.status !== null && answer.reason !== "unavailable") {
      // Refused without work. What broke in the middle may have been counted in full.
      tokens?.correct(call.sentAt, now, -call.tokens);
    }
    call.tokens = 0;
  }

  function told(limits: RateLimits, now: number): void {
    if (limits.requests !== null) requestAllowance.told(limits.requests, now, inFlight);
    if (limits.tokens === null) return;
    tokenAllowance.told(limits.tokens, now, tokensInFlight);
    // From now on; what is in flight already was not counted.
    countsTokens = true;
  }

  return {
    get limit() {
      return concurrency.limit;
    },
    get inFlight() {
      return inFlight;
    },
    get ratePerSecond() {
      return rate.perSecond;
    },
    waitMs,
    pauseMs: (now) => Math.max(0, pausedUntil - now),
    sent,
    answered,
    restart,
  };
}
