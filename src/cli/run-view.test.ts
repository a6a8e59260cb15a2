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

describe("runView()", () => {
  it("tells no time that is left before it can", () => {
    expect(runView(view({}))).toMatchObject({ rate: 0, etaMs: null });
    expect(runView(view({ rate: 0 }))).toMatchObject({ rate: 0, etaMs: null });
  });

  it("takes the time that is left from the rate", () => {
    expect(runView(view({ rate: 100 }))).toMatchObject({ rate: 100, etaMs: 9_000 });
  });

  it("names the routes that wait", () => {
    const route = { endpoint: "/v1/embeddings", model: "m", upstream: "local", inFlight: 0, succeeded: 0 };
    const waiting = { ...route, reason: { code: "throttled", message: "slow down" } };
    expect(runView(view({ routes: [{ ...route, reason: null }, waiting] })).waits).toEqual([
      { route: "m at local", code: "throttled", message: "slow down" },
    ]);
  });
});
