import { expect, test } from "vitest";
import type { ScenarioLine } from "./scenario.ts";
import { simulate } from "./simulate.ts";

const fixed = (ms: number) => ({ kind: "fixed", ms }) as const;
const failure = (status: number) => ({ status, code: null, message: "The test says so" });

function lines(count: number, text: (i: number) => string = () => "a line"): ScenarioLine[] {
  return Array.from({ length: count }, (_, i) => ({ model: "m", text: text(i), output: 10 }));
}

test.each([
  [1, 10],
  [2, 10],
  [4, 5],
  [4, 60],
  [6, 30],
])("with %i calls at once an outage in which each takes %i s to fail burns no line", (most, seconds) => {
  const slow = { from: 20_000, until: 1_820_000, latency: fixed(1_000 * seconds), answer: failure(504) };
  const { ended } = simulate(
    {
      ...{ name: "slow failures", reach: "no line failed", judge: () => ({ figures: "", reached: true }) },
      upstreams: [{ name: "a", rules: [{ latency: fixed(5_000) }, slow] }],
      batches: [{ lines: lines(300) }],
      concurrency: { floor: most, ceiling: most },
      endMs: 7_200_000,
    },
    1,
  );
  expect(ended.filter(({ ok }) => !ok)).toEqual([]);
  expect(ended).toHaveLength(300);
});

test.each([
  [3, 1],
  [10, 1],
  [30, 5],
  [10, null],
])(
  "after %i s in which everything is refused with a 429 (Retry-After %o) the rate is as before",
  (seconds, after) => {
    const until = 20_000 + 1_000 * seconds;
    const shut = { perSecond: 1e-9, burst: 0, kind: "bucket" } as const;
    const retryAfterMs = after === null ? null : 1_000 * after;
    const { calls } = simulate(
      {
        ...{ name: "shut", reach: "the rate", judge: () => ({ figures: "", reached: true }) },
        upstreams: [
          {
            name: "a",
            rules: [
              { latency: fixed(100), slots: 20, beyond: "queue" },
              { from: 20_000, until, rate: shut, retryAfterMs },
            ],
          },
        ],
        batches: [{ lines: lines(20_000) }],
        endMs: until + 30_000,
      },
      1,
    );
    const succeeded = (from: number) =>
      calls.filter(({ ok, answeredAt }) => ok && answeredAt >= from && answeredAt < from + 10_000).length;
    expect(succeeded(until + 10_000)).toBeGreaterThan(0.9 * succeeded(10_000));
    // Nor is it hammered meanwhile.
    const refused = calls.filter(({ ok, answeredAt }) => !ok && answeredAt > 20_000 && answeredAt < until);
    expect(refused.length).toBeLessThan(40 + 10 * seconds);
  },
);

test.each([
  [1, 5],
  [10, 3],
])("a limit of %i calls a second is found although answers take %i s", (perSecond, seconds) => {
  const { calls } = simulate(
    {
      ...{ name: "slow answers", reach: "the limit", judge: () => ({ figures: "", reached: true }) },
      upstreams: [
        {
          name: "a",
          rules: [
            {
              latency: fixed(1_000 * seconds),
              rate: { perSecond, burst: 10, kind: "bucket" },
              retryAfterMs: 1_000,
            },
          ],
        },
      ],
      batches: [{ lines: lines(6_000) }],
      endMs: 300_000,
    },
    1,
  );
  const late = calls.filter(({ answeredAt }) => answeredAt >= 60_000);
  expect(late.filter(({ ok }) => !ok).length).toBeLessThan(30);
  expect(late.filter(({ ok }) => ok).length).toBeGreaterThan(0.9 * 240 * perSecond);
});

test("nor is a limit hammered while its first answers are still worked on", () => {
  const rate = { perSecond: 1, burst: 1, kind: "bucket" } as const;
  const { calls } = simulate(
    {
      ...{ name: "very slow answers", reach: "the limit", judge: () => ({ figures: "", reached: true }) },
      upstreams: [{ name: "a", rules: [{ latency: fixed(60_000), rate, retryAfterMs: 1_000 }] }],
      batches: [{ lines: lines(1_000) }],
      concurrency: { floor: 128, ceiling: 128 },
      endMs: 180_000,
    },
    1,
  );
  expect(calls.filter(({ ok, answeredAt }) => !ok && answeredAt < 120_000).length).toBeLessThan(400);
});

test("a 403 for everything burns few lines, however many calls are under way when it begins", () => {
  const { ended } = simulate(
    {
      ...{ name: "403 for all", reach: "few lines", judge: () => ({ figures: "", reached: true }) },
      upstreams: [
        {
          name: "a",
          rules: [
            { latency: { kind: "lognormal", medianMs: 10_000, sigma: 0.3 } },
            { from: 60_000, until: 660_000, latency: fixed(5), answer: failure(403) },
          ],
        },
      ],
      batches: [{ lines: lines(2_000) }],
      concurrency: { floor: 32, ceiling: 32 },
      endMs: 7_200_000,
    },
    1,
  );
  expect(ended).toHaveLength(2_000);
  expect(ended.filter(({ ok }) => !ok).length).toBeLessThan(10);
});

test.each([1, 2, 3, 9])(
  "%i lines at the end of a file that get a 403 of their own fail, and only they",
  (bad) => {
    const { ended } = simulate(
      {
        ...{ name: "403", reach: "they fail", judge: () => ({ figures: "", reached: true }) },
        upstreams: [
          {
            name: "a",
            rules: [
              { latency: fixed(50) },
              { containing: "forbidden", latency: fixed(50), answer: failure(403) },
            ],
          },
        ],
        batches: [{ lines: lines(200, (i) => (i < 200 - bad ? "a line" : "forbidden")) }],
        endMs: 120_000,
      },
      1,
    );
    expect(ended).toHaveLength(200);
    expect(
      ended
        .filter(({ ok }) => !ok)
        .map(({ line }) => line)
        .sort(),
    ).toEqual(Array.from({ length: bad }, (_, i) => 200 - bad + i));
  },
);
