import { describe, expect, it } from "vitest";
import { type EngineView, runView } from "./run-view.ts";

function view(more: Partial<EngineView>): EngineView {
  return {
    counts: { total: 1_000, completed: 90, failed: 10 },
    inFlight: 4,
    rate: null,
    routes: [],
    ...more,
  };
}

const route = {
  ...{ endpoint: "/v1/embeddings", model: "m", upstream: "local", limit: 8, limitPerSecond: null },
  ...{ inFlight: 0, rate: null, ready: 0, waiting: 0, reason: null, succeeded: 0 },
};

describe("runView()", () => {
  it("tells no time that is left before it can", () => {
    expect(runView(view({}))).toMatchObject({ rate: 0, etaMs: null });
    expect(runView(view({ rate: 0 }))).toMatchObject({ rate: 0, etaMs: null });
  });

  it("takes the time that is left from the rate", () => {
    expect(runView(view({ rate: 100 }))).toMatchObject({ rate: 100, etaMs: 9_000 });
  });

  it("names the routes that wait", () => {
    const waiting = { ...route, reason: { code: "throttled", message: "slow down" } as const };
    expect(runView(view({ routes: [{ ...route, reason: null }, waiting] })).waits).toEqual([
      { route: "m at local", code: "throttled", message: "slow down" },
    ]);
  });

  it("has the routes that have lines left, as /progress has them", () => {
    const { routes } = runView(
      view({
        routes: [
          { ...route, model: "done" },
          { ...route, ready: 1, rate: 1.234 },
        ],
      }),
    );
    expect(routes).toEqual([
      {
        ...{ endpoint: "/v1/embeddings", model: "m", upstream: "local", limit: 8, limit_per_second: null },
        ...{ in_flight: 0, rate: 1.23, waiting: 0, reason: null },
      },
    ]);
  });
});
