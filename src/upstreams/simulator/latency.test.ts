import { expect, test } from "vitest";
import { drawLatency, parseLatency } from "./latency.ts";
import { createRandom } from "./random.ts";

test("parseLatency() reads fixed and log-normal latencies", () => {
  expect(parseLatency("200ms")).toEqual({ kind: "fixed", ms: 200 });
  expect(parseLatency("lognormal:1.5s,0.5")).toEqual({ kind: "lognormal", medianMs: 1_500, sigma: 0.5 });
});

test.each([
  "",
  "200",
  "lognormal",
  "lognormal:200ms",
  "lognormal:200ms,",
  "lognormal:200ms,x",
  "lognormal:x,1",
])("parseLatency() refuses %j", (text) => {
  expect(() => parseLatency(text)).toThrow(expect.objectContaining({ code: "invalid_value" }));
});

test("half of log-normal latencies are below the median and one in six beyond a sigma", () => {
  const random = createRandom(1);
  const drawn = Array.from({ length: 10_000 }, () =>
    drawLatency({ kind: "lognormal", medianMs: 200, sigma: 0.5 }, random),
  );
  const share = (limit: number) => drawn.filter((ms) => ms > limit).length / drawn.length;
  expect(share(200)).toBeCloseTo(0.5, 1);
  expect(share(200 * Math.exp(0.5))).toBeCloseTo(0.1587, 1);
});
