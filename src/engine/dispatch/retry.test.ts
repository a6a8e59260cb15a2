import { describe, expect, test } from "vitest";
import type { Failure, FailureReason } from "../../upstreams/upstream.ts";
import { judge, newHistory } from "./retry.ts";

const options = { circuitOpen: false, maxAttempts: 5, random: () => 0.5 };

function failure(reason: FailureReason, retryAfterMs: number | null = null): Failure {
  const error = { code: reason, message: reason, type: "upstream_error" };
  return { ok: false, reason, status: null, requestId: null, body: null, error, retryAfterMs };
}

/** How often a line is sent before it is given up, 100 at most. */
function tries(reason: FailureReason, circuitOpen = false): number {
  const history = newHistory();
  for (let sent = 1; sent <= 100; sent++) {
    if (judge(history, failure(reason), { ...options, circuitOpen }).type === "final") return sent;
  }
  return Number.POSITIVE_INFINITY;
}

describe("judge()", () => {
  test("gives a line the attempts that each kind of failure allows", () => {
    expect(tries("rejected")).toBe(1);
    expect(tries("too_large")).toBe(1);
    expect(tries("unavailable")).toBe(5);
    expect(tries("reset")).toBe(5);
    expect(tries("timeout")).toBe(2);
    expect(tries("account")).toBe(2);
  });

  test("never gives up for refused connections and 429", () => {
    expect(tries("refused")).toBe(Number.POSITIVE_INFINITY);
    expect(tries("throttled")).toBe(Number.POSITIVE_INFINITY);
  });

  test("spends nothing in an outage", () => {
    for (const reason of ["unavailable", "reset", "timeout", "account"] as const) {
      expect(tries(reason, true)).toBe(Number.POSITIVE_INFINITY);
    }
    expect(tries("rejected", true)).toBe(1);
  });

  test("waits exponentially longer with full jitter, up to 30 s", () => {
    const history = newHistory();
    const waits = Array.from({ length: 9 }, () => {
      const verdict = judge(history, failure("refused"), options);
      return verdict.type === "wait" ? verdict.ms : null;
    });
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
    const atOnce = judge(newHistory(), failure("refused"), { ...options, random: () => 0 });
    expect(atOnce).toEqual({ type: "wait", ms: 0 });
  });

  test("never comes back before the time that the upstream asked for", () => {
    const verdict = judge(newHistory(), failure("throttled", 7_000), { ...options, random: () => 0 });
    expect(verdict).toEqual({ type: "wait", ms: 7_000 });
  });
});
