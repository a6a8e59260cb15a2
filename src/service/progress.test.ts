import { describe, expect, it } from "vitest";
import { aBatch } from "../../test/support/batch.ts";
import { batchStatuses } from "../batch/batch.ts";
import { isFinal } from "../batch/lifecycle.ts";
import type { Progress, RouteProgress } from "../engine/engine.ts";
import { batchProgress } from "./progress.ts";

const counts = { total: 1_000, completed: 90, failed: 10 };
const running = aBatch({ status: "in_progress", request_counts: { ...counts, completed: 50 } });
const outage = { code: "outage", message: "it answers 503" } as const;
const throttled = { code: "throttled", message: "slow down" } as const;

function route(more: Partial<RouteProgress> = {}): RouteProgress {
  const names = { endpoint: "/v1/embeddings", model: "m", upstream: "local" };
  return {
    ...names,
    limit: 8,
    limitPerSecond: 12.3456,
    inFlight: 1,
    rate: 6.789,
    ready: 2,
    waiting: 3,
    reason: null,
    succeeded: 4,
    ...more,
  };
}

function executing(more: Partial<Progress> = {}): Progress {
  return { counts, inFlight: 1, rate: 12.3456, routes: [route()], ...more };
}

describe("batchProgress()", () => {
  it("tells what the engine counts, and how long it will take", () => {
    expect(batchProgress(running, executing())).toEqual({
      object: "batch.progress",
      id: running.id,
      state: "in_progress",
      waiting_reason: null,
      rate: 12.35,
      eta_seconds: 73,
      request_counts: counts,
      routes: [
        {
          endpoint: "/v1/embeddings",
          model: "m",
          upstream: "local",
          limit: 8,
          limit_per_second: 12.35,
          in_flight: 1,
          rate: 6.79,
          waiting: 3,
          reason: null,
        },
      ],
    });
  });

  it.each([null, 0])("cannot tell how long it will take at a rate of %s", (rate) => {
    expect(batchProgress(running, executing({ rate }))).toMatchObject({ rate, eta_seconds: null });
  });

  it("gives a reason only when nothing is sent on any route that has lines left", () => {
    const reasonOf = (...routes: RouteProgress[]) =>
      batchProgress(running, executing({ routes })).waiting_reason;
    const drained = { model: "done", inFlight: 0, ready: 0, waiting: 0 };
    expect(reasonOf(route({ reason: outage }), route())).toBeNull();
    expect(reasonOf(route({ reason: outage }), route({ reason: throttled }))).toEqual(outage);
    expect(reasonOf(route(drained), route({ reason: throttled }))).toEqual(throttled);
    expect(reasonOf()).toBeNull();
  });

  it("shows only routes that have lines left", () => {
    const drained = route({ model: "done", inFlight: 0, ready: 0, waiting: 0 });
    const unsent = route({ model: "unsent", inFlight: 0, ready: 1, waiting: 0 });
    const { routes } = batchProgress(running, executing({ routes: [drained, unsent] }));
    expect(routes.map(({ model }) => model)).toEqual(["unsent"]);
  });

  it("shows an upstream that takes nothing, beside one that does the work of both", () => {
    const dead = route({ upstream: "dead", inFlight: 0, ready: 0, waiting: 0, reason: outage });
    const { routes, waiting_reason } = batchProgress(running, executing({ routes: [route(), dead] }));
    expect(routes.map(({ upstream, reason }) => [upstream, reason])).toEqual([
      ["local", null],
      ["dead", outage],
    ]);
    expect(waiting_reason).toBeNull();
  });

  it("tells what is recorded of a batch that this process does not execute", () => {
    expect(batchProgress(running, null)).toMatchObject({
      waiting_reason: null,
      rate: null,
      eta_seconds: null,
      request_counts: running.request_counts,
      routes: [],
    });
  });

  it.each(batchStatuses.filter(isFinal))("has nothing left to do when it is %s", (status) => {
    const final = aBatch({ status, request_counts: { total: 3, completed: 2, failed: 1 } });
    expect(batchProgress(final, executing())).toMatchObject({
      state: status,
      rate: null,
      eta_seconds: 0,
      request_counts: final.request_counts,
      routes: [],
    });
  });
});
