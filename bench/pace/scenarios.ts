import { latencyTarget, shareOfCapacity } from "./live-traffic.ts";
import { rateLimit, silent, slowAnswers } from "./rate-limits.ts";
import {
  latency,
  lines,
  mostInAMinute,
  peak,
  percent,
  rate,
  type Scenario,
  type ScenarioResult,
  sendsPerLine,
  used,
} from "./scenario.ts";

/** Every row of the table, in its order. */
export function scenarios(): Scenario[] {
  return [
    rateLimit("window"),
    rateLimit("bucket"),
    queueing(),
    slowAnswers(),
    silent(),
    refusing({
      name: "429 when full",
      reach: "85 % of capacity from 5 s on",
      least: 0.85,
      retryAfterMs: null,
    }),
    refusing({
      name: "429 + Retry-After when full",
      reach: "80 % of capacity from 5 s on though each refusal costs a second",
      least: 0.8,
      retryAfterMs: 1_000,
    }),
    changing(),
    changingRefusing(),
    outage(),
    throttledBesideFree(),
    tokenBudget(),
    quota(),
    contentPolicy(),
    poison("three", 3),
    poison("twenty", 20),
    lastLinesOutage(),
    besideHuge(),
    twoUpstreams(),
    shareOfCapacity(),
    latencyTarget(),
  ];
}

/** Answers that take long let many calls be in flight before the limit shows. */
function queueing(): Scenario {
  return {
    name: "unknown capacity, 40 slots of 50 ms, latency grows beyond",
    reach: "85 % of capacity from 5 s on, never more than 3x the slots in flight",
    upstreams: [{ name: "a", rules: [{ latency, slots: 40 }] }],
    batches: [{ lines: lines(30_000) }],
    endMs: 30_000,
    judge({ calls }) {
      const share = used(calls, 40, [5_000, 30_000]);
      const most = peak(calls);
      return {
        figures: `${percent(share)} of capacity, at most ${most} in flight`,
        reached: share >= 0.85 && most <= 120,
      };
    },
  };
}

function refusing({
  name,
  reach,
  least,
  retryAfterMs,
}: {
  name: string;
  reach: string;
  least: number;
  retryAfterMs: number | null;
}): Scenario {
  return {
    name: `unknown capacity, 40 slots, ${name}`,
    reach: `${reach}, 1.1 sends a line or fewer`,
    upstreams: [{ name: "a", rules: [{ latency, slots: 40, beyond: "refuse", retryAfterMs }] }],
    batches: [{ lines: lines(30_000) }],
    endMs: 30_000,
    judge({ calls }) {
      const share = used(calls, 40, [5_000, 30_000]);
      const sends = sendsPerLine(calls);
      return {
        figures: `${percent(share)} of capacity, ${sends.toFixed(3)} sends a line`,
        reached: share >= least && sends <= 1.1,
      };
    },
  };
}

/** From the time when capacity halves and from when it returns. */
const halved = { from: 20_000, until: 40_000, slots: 20 };

function changing(): Scenario {
  return {
    name: "capacity halves, later returns (latency grows)",
    reach: "settles within 5 s both ways: 85 % of capacity, at most 3x the slots in flight",
    upstreams: [{ name: "a", rules: [{ latency, slots: 40 }, halved] }],
    batches: [{ lines: lines(60_000) }],
    endMs: 60_000,
    judge({ calls }) {
      const low = used(calls, 20, [25_000, 40_000]);
      const high = used(calls, 40, [45_000, 60_000]);
      const most = peak(calls, 25_000, 40_000);
      return {
        figures: `${percent(low)} of the half with at most ${most} in flight, then ${percent(high)} of the whole`,
        reached: low >= 0.85 && high >= 0.85 && most <= 60,
      };
    },
  };
}

function changingRefusing(): Scenario {
  const beyond = "refuse";
  return {
    name: "capacity halves, later returns (429 when full)",
    reach: "settles within 5 s both ways: 85 % of capacity, 1.1 sends a line",
    upstreams: [{ name: "a", rules: [{ latency, slots: 40, beyond }, halved] }],
    batches: [{ lines: lines(60_000) }],
    endMs: 60_000,
    judge({ calls }) {
      const low = used(calls, 20, [25_000, 40_000]);
      const high = used(calls, 40, [45_000, 60_000]);
      const sends = sendsPerLine(calls);
      return {
        figures: `${percent(low)} of the half, then ${percent(high)} of the whole, ${sends.toFixed(3)} sends a line`,
        reached: low >= 0.85 && high >= 0.85 && sends <= 1.1,
      };
    },
  };
}

function outage(): Scenario {
  const answer = { status: 503, code: null, message: "Down" };
  return {
    name: "60 s outage in the middle, 32 in flight",
    reach:
      "no line failed, wasted calls at most those in flight at its start + 30, full rate 5 s after the end",
    upstreams: [
      {
        name: "a",
        rules: [
          { latency, slots: 32 },
          { from: 15_000, until: 75_000, answer },
        ],
      },
    ],
    batches: [{ lines: lines(30_000) }],
    concurrency: { floor: 32, ceiling: 32 },
    endMs: 90_000,
    judge({ calls, ended }) {
      const failed = ended.filter(({ ok }) => !ok).length;
      const wasted = calls.filter(({ ok, answeredAt }) => !ok && !Number.isNaN(answeredAt)).length;
      const before = rate(calls, 5_000, 15_000);
      const share = rate(calls, 80_000, 90_000) / before;
      return {
        figures: `${failed} lines failed, ${wasted} calls wasted, then ${percent(share)} of the rate before`,
        reached: failed === 0 && wasted <= 62 && share >= 0.95,
      };
    },
  };
}

function throttledBesideFree(): Scenario {
  const busy = lines(6_000, () => ({ model: "busy" }));
  const free = lines(24_000, () => ({ model: "free" }));
  return {
    name: "throttled model beside a free one, throttled lines first in the file",
    reach: "the free one keeps 95 % of its rate",
    upstreams: [
      {
        name: "a",
        rules: [
          { latency, model: "free", slots: 40 },
          { latency, model: "busy", rate: { perSecond: 5, burst: 5, kind: "window" } },
        ],
      },
    ],
    batches: [{ lines: [...busy, ...free] }],
    endMs: 25_000,
    judge({ calls }) {
      const of = calls.filter(({ model }) => model === "free");
      const share = used(of, 40, [5_000, 25_000]);
      return { figures: `${percent(share)} of its slots at work`, reached: share >= 0.95 };
    },
  };
}

function tokenBudget(): Scenario {
  const perMinute = 600_000;
  return {
    name: "tokens per minute budget",
    reach: "within 5 % of the budget, never above",
    upstreams: [{ name: "a", rules: [{ latency: { kind: "lognormal", medianMs: 300, sigma: 0.5 } }] }],
    batches: [
      {
        lines: lines(60_000, (i) => ({ text: "word ".repeat(20 + (i % 60)), output: 40 + ((i * 37) % 160) })),
      },
    ],
    limits: { tokensPerMinute: perMinute },
    endMs: 180_000,
    judge({ calls }) {
      const most = mostInAMinute(calls, ({ tokens }) => tokens) / perMinute;
      const spent = calls.filter(({ arrivedAt }) => arrivedAt >= 60_000);
      const share = spent.reduce((sum, { tokens }) => sum + tokens, 0) / (2 * perMinute);
      return {
        figures: `${percent(share)} of the budget, at most ${percent(most)} in any 60 s`,
        reached: share >= 0.95 && most <= 1,
      };
    },
  };
}

function quota(): Scenario {
  const answer = { status: 429, code: "insufficient_quota", message: "You exceeded your current quota" };
  return {
    name: "quota error for a while (60 s)",
    reach: "no line failed, a handful of calls, goes on by itself",
    upstreams: [
      {
        name: "a",
        rules: [
          { latency, slots: 20 },
          { from: 10_000, until: 70_000, answer },
        ],
      },
    ],
    batches: [{ lines: lines(100_000) }],
    endMs: 150_000,
    judge({ calls, ended }) {
      const failed = ended.filter(({ ok }) => !ok).length;
      const during = calls.filter(({ arrivedAt }) => arrivedAt >= 10_500 && arrivedAt < 70_000).length;
      const again = calls.find(({ ok, arrivedAt }) => ok && arrivedAt >= 70_000)?.arrivedAt ?? Number.NaN;
      return {
        figures: `${failed} lines failed, ${during} calls after the first half second, on again after ${((again - 70_000) / 1_000).toFixed(1)} s`,
        reached: failed === 0 && during <= 10 && again > 0,
      };
    },
  };
}

function contentPolicy(): Scenario {
  const answer = { status: 403, code: null, message: "Refused by policy" };
  const all = lines(8_000, (i) => (i === 4_000 ? { text: "forbidden" } : {}));
  return {
    name: "one 403 line (content policy) among good ones",
    reach: "only that line fails, nothing pauses",
    upstreams: [
      {
        name: "a",
        rules: [
          { latency, slots: 20 },
          { containing: "forbidden", answer },
        ],
      },
    ],
    batches: [{ lines: all }],
    endMs: 120_000,
    judge({ calls, ended }) {
      const failed = ended.filter(({ ok }) => !ok);
      const gap = longestGap({ calls, ended });
      return {
        figures: `${failed.length} of ${ended.length} lines failed, longest time without a success ${gap.toFixed(0)} ms`,
        reached: failed.length === 1 && failed[0]?.line === 4_000 && ended.length === 8_000 && gap < 500,
      };
    },
  };
}

/** Between successes, milliseconds, up to the last one of a line that was not held back by itself. */
function longestGap({ calls }: ScenarioResult): number {
  const times = calls.filter(({ ok }) => ok).map(({ answeredAt }) => answeredAt);
  times.sort((a, b) => a - b);
  return times.reduce((most, at, i) => Math.max(most, at - (times[i - 1] ?? 0)), 0);
}

function poison(name: string, count: number): Scenario {
  const all = lines(2_000, (i) => (i >= 2_000 - count ? { text: "poison" } : {}));
  return {
    name: `${name} poison lines at the end of a file`,
    reach: "they fail after their tries, within two minutes at default settings",
    upstreams: [
      {
        name: "a",
        rules: [
          { latency, slots: 20 },
          { containing: "poison", answer: "reset" },
        ],
      },
    ],
    batches: [{ lines: all }],
    endMs: 300_000,
    judge({ calls, ended }) {
      const failed = ended.filter(({ ok }) => !ok);
      const tries = calls.filter(({ text }) => text === "poison").length;
      const last = Math.max(...ended.map(({ at }) => at));
      return {
        figures: `${failed.length} of ${ended.length} lines failed after ${tries} calls, all done after ${(last / 1_000).toFixed(1)} s`,
        reached: failed.length === count && ended.length === 2_000 && last < 120_000,
      };
    },
  };
}

function lastLinesOutage(): Scenario {
  const answer = { status: 500, code: null, message: "Down" };
  const endMs = 700_000;
  return {
    name: "600 s outage while the last 40 lines of a file run",
    reach: "no line failed, goes on by itself",
    upstreams: [
      {
        name: "a",
        rules: [
          { latency: { kind: "fixed", ms: 1_000 }, slots: 20 },
          { from: 2_500, until: 602_500, answer },
        ],
      },
    ],
    batches: [{ lines: lines(80) }],
    concurrency: { floor: 20, ceiling: 20 },
    endMs,
    judge({ calls, ended }) {
      const failed = ended.filter(({ ok }) => !ok).length;
      const outage = calls.filter(({ ok, answeredAt }) => !ok && !Number.isNaN(answeredAt)).length;
      const last = Math.max(...ended.map(({ at }) => at));
      return {
        figures: `${failed} lines failed, ${outage} calls wasted, all done ${((last - 602_500) / 1_000).toFixed(1)} s after its end`,
        reached: failed === 0 && ended.length === 80 && last < endMs,
      };
    },
  };
}

function besideHuge(): Scenario {
  return {
    name: "small batch of 100 lines beside a huge one",
    reach: "2x its time alone or less",
    upstreams: [{ name: "a", rules: [{ latency: { kind: "fixed", ms: 200 }, slots: 20 }] }],
    batches: [{ lines: lines(20_000) }, { lines: lines(100), startMs: 30_000 }],
    endMs: 60_000,
    judge({ ended }) {
      const small = ended.filter(({ batch }) => batch === 1);
      const took = Math.max(...small.map(({ at }) => at)) - 30_000;
      // Alone and with the pace known: 20 at once, each 200 ms and 2 on the way.
      const alone = (100 / 20) * 202;
      return {
        figures: `${(took / alone).toFixed(2)}x its time alone`,
        reached: small.length === 100 && took <= 2 * alone,
      };
    },
  };
}

function twoUpstreams(): Scenario {
  return {
    name: "two upstreams for one model, one dies",
    reach: "no line failed, the rest continues at the survivor's capacity",
    upstreams: [
      { name: "a", rules: [{ latency, slots: 20 }] },
      {
        name: "b",
        rules: [
          { latency, slots: 20 },
          { from: 15_000, answer: "reset" },
        ],
      },
    ],
    batches: [{ lines: lines(60_000) }],
    endMs: 40_000,
    judge({ calls, ended }) {
      const failed = ended.filter(({ ok }) => !ok).length;
      const both = used(calls, 40, [5_000, 15_000]);
      const share = used(calls, 20, [20_000, 40_000]);
      return {
        figures: `${failed} lines failed, ${percent(both)} of both, then ${percent(share)} of the survivor's capacity`,
        reached: failed === 0 && both >= 0.85 && share >= 0.85,
      };
    },
  };
}
