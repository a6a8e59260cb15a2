import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RouteState } from "../batch/progress.ts";
import { createRunEvents } from "./run-events.ts";
import { createRunProgress } from "./run-progress.ts";
import type { RunView } from "./run-view.ts";

const route: RouteState = {
  ...{ endpoint: "/v1/embeddings", model: "m", upstream: "local", limit: 128, limit_per_second: null },
  ...{ in_flight: 64, rate: 123.4, waiting: 3, reason: null },
};

const view: RunView = {
  counts: { total: 50_000, completed: 1_190, failed: 10 },
  inFlight: 64,
  rate: 123.4,
  etaMs: 395_461,
  routes: [route],
  waits: [],
};
const throttled = {
  ...view,
  waits: [{ route: "m at local", code: "throttled", message: "wait\u001b[2J 1 s" }],
};

let said: string;
let clock: number;
beforeEach(() => {
  said = "";
  clock = 0;
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("createRunProgress()", () => {
  it("says a line every five seconds where there is no terminal", async () => {
    const report = await createRunProgress(() => clock);
    for (clock = 0; clock <= 11_000; clock += 250) report.progress(view);
    const line = "1,200/50,000 done, 10 failed, 123/s, 64 of 128 in flight, 3 waiting, about 6m 35s left\n";
    expect(said).toBe(line.repeat(2));
  });

  it("says every half minute how each of several routes fares", async () => {
    const report = await createRunProgress(() => clock);
    const reason = { code: "account", message: "no\u001b credit" };
    const other = { ...route, model: "n", in_flight: 0, limit: 4, limit_per_second: 2.5, rate: null, reason };
    for (clock = 0; clock <= 36_000; clock += 250) report.progress({ ...view, routes: [route, other] });
    const line = "1,200/50,000 done, 10 failed, 123/s, 64 in flight, 6 waiting, about 6m 35s left\n";
    const routes =
      "  m at local: 64 of 128 in flight, 123/s, 3 waiting\n" +
      "  n at local: 0 of 4 in flight, at most 2.5/s, 3 waiting, account: no\\x1b credit\n";
    expect(said).toBe(`${line}${routes}${line.repeat(6)}${routes}`);
  });

  it("says of many routes how those fare that wait or have most in flight, and how many more there are", async () => {
    const report = await createRunProgress(() => clock);
    const routes = Array.from({ length: 9 }, (_, nth) => ({ ...route, model: `m${nth}`, in_flight: nth }));
    routes[0] = { ...route, model: "m0", reason: { code: "account", message: "no credit" } };
    for (clock = 0; clock <= 5_000; clock += 250) report.progress({ ...view, routes });
    const lines = said.trimEnd().split("\n");
    const names = lines.slice(1).map((line) => line.replace(/ at local.*/, "").trim());
    expect(names).toEqual(["m0", "m4", "m5", "m6", "m7", "m8", "and 3 more routes"]);
  });

  it("says once a minute that a route waits, and obeys no control characters", async () => {
    const report = await createRunProgress(() => clock);
    for (clock = 0; clock < 4_000; clock += 250) report.progress(clock % 500 === 0 ? throttled : view);
    expect(said).toBe("m at local waits: wait\\x1b[2J 1 s\n");
  });

  it("says where the results are, and how to try failed lines again", async () => {
    const report = await createRunProgress(() => clock);
    report.ended({
      ...{ batch: "batch_1", status: "completed", usage: null, tookMs: 2_000, store: "/s", exitCode: 3 },
      ...{ counts: { total: 3, completed: 2, failed: 1 }, output: "/o", errors: "/e", retryable: true },
      firstFailure: { custom_id: "a", code: "model_not_found", message: "no\u001b model" },
    });
    expect(said).toBe(
      "Finished in 2s: 3 lines: 2 succeeded, 1 failed\n  results       /o\n  failed lines  /e\n" +
        '  first failure "a": model_not_found: no\\x1b model\n' +
        '  try them again with  nerif batches retry batch_1 --data-dir "/s"\n',
    );
  });
});

describe("createRunEvents()", () => {
  it("prints progress once a second, and when what waits has changed", () => {
    const report = createRunEvents(process.stderr, () => clock);
    for (const next of [view, view, throttled, throttled, view]) {
      report.progress(next);
      clock += 300;
    }
    const events = said
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["progress", "waiting", "waiting", "progress"]);
    expect(events[0]).toEqual({
      ...{ event: "progress", total: 50_000, completed: 1_190, failed: 10 },
      ...{ in_flight: 64, rate: 123.4, eta_seconds: 395 },
      routes: [route],
    });
    expect(events[1].routes).toEqual(throttled.waits);
    expect(events[2].routes).toEqual([]);
  });
});
