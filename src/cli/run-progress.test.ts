import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRunEvents } from "./run-events.ts";
import { createRunProgress } from "./run-progress.ts";
import type { RunView } from "./run-view.ts";

const view: RunView = {
  counts: { total: 50_000, completed: 1_190, failed: 10 },
  inFlight: 64,
  rate: 123.4,
  etaMs: 395_461,
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
    const line = "1,200/50,000 done, 10 failed, 123/s, 64 in flight, about 6m 35s left\n";
    expect(said).toBe(line.repeat(2));
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
    });
    expect(said).toBe(
      "Finished in 2s: 3 lines: 2 succeeded, 1 failed\n  results       /o\n  failed lines  /e\n" +
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
    });
    expect(events[1].routes).toEqual(throttled.waits);
    expect(events[2].routes).toEqual([]);
  });
});
