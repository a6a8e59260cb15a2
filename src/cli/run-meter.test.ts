import { describe, expect, it } from "vitest";
import { createMeter, type EngineView } from "./run-meter.ts";

function view(done: number): EngineView {
  return { counts: { total: 1_000, completed: done, failed: 0 }, inFlight: 4, routes: [] };
}

describe("createMeter()", () => {
  it("tells no rate before it can", () => {
    expect(createMeter()(view(10), 0)).toMatchObject({ rate: 0, etaMs: null });
  });

  it("takes the rate over the latest seconds only, and the time left from it", () => {
    const meter = createMeter();
    meter(view(0), 0);
    expect(meter(view(100), 1_000)).toMatchObject({ rate: 100, etaMs: 9_000 });
    for (let second = 2; second < 40; second += 1) meter(view(100), second * 1_000);
    expect(meter(view(100), 40_000)).toMatchObject({ rate: 0, etaMs: null });
  });

  it("does not count what an earlier process has done", () => {
    const meter = createMeter();
    meter(view(900), 0);
    expect(meter(view(910), 1_000)).toMatchObject({ rate: 10, etaMs: 9_000 });
  });

  it("names the routes that wait", () => {
    const route = { endpoint: "/v1/embeddings", model: "m", upstream: "local", inFlight: 0, succeeded: 0 };
    const waiting = { ...route, reason: { code: "throttled", message: "slow down" } };
    const routes = [{ ...route, reason: null }, waiting];
    expect(createMeter()({ ...view(0), routes }, 0).waits).toEqual([
      { route: "m at local", code: "throttled", message: "slow down" },
    ]);
  });
});
