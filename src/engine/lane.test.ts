import { describe, expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createScriptedUpstream, echo, fails } from "../../test/support/scripted-upstream.ts";
import type { FailureReason } from "../upstreams/upstream.ts";
import { createLane, type LineSource } from "./lane.ts";
import { newHistory } from "./retry.ts";

const [ours, theirs] = [`batch_${"a".repeat(32)}`, `batch_${"b".repeat(32)}`];

function setup() {
  const clock = createTestClock();
  const lane = createLane(
    { endpoint: "/v1/embeddings", model: "m" },
    {
      upstream: createScriptedUpstream(echo),
      clock,
      requests: null,
      tokens: null,
      share: null,
    },
  );
  let index = 0;
  function fail(batchId: string, reason: FailureReason): void {
    const body = Buffer.from("{}");
    const call = { batchId, index: index++, history: newHistory(), body, sentAt: 0, tokens: 0 };
    lane.sent(call, 0);
    lane.answered(call, fails(reason), 0);
  }
  function succeed(): void {
    const body = Buffer.from("{}");
    const call = { batchId: ours, index: index++, history: newHistory(), body, sentAt: 0, tokens: 0 };
    lane.sent(call, 0);
    lane.answered(call, succeeds, 0);
  }
  return { lane, clock, fail, succeed };
}

const succeeds = { ok: true, status: 200, requestId: null, body: Buffer.from("{}"), tokens: null } as const;

const source: LineSource = {
  ...{ project: "default", weight: 10, deadline: Number.POSITIVE_INFINITY },
  signal: new AbortController().signal,
  bytes: () => -1,
  take: () => null,
  dueMs: () => Number.POSITIVE_INFINITY,
  answered() {},
};

describe("createLane()", () => {
  it.each([
    ["outage", "unavailable", 8],
    ["unreachable", "refused", 1],
    ["account", "account", 2],
  ] as const)(
    "quotes what the upstream said in case of %s to the batch of the line alone",
    (code, reason, lines) => {
      const { lane, fail } = setup();
      for (let line = 0; line < lines; line += 1) fail(theirs, reason);
      expect(lane.reason(theirs)).toEqual({ code, message: `It was ${reason}` });
      expect(lane.reason(ours)).toEqual({ code, message: expect.stringMatching(/^The upstream \w+/) });
      expect(lane.reason(ours)?.message).not.toContain("It was");
    },
  );

  it("tells those who see no batch that there is an outage, in words of our own", () => {
    const { lane, fail } = setup();
    for (let line = 0; line < 8; line += 1) fail(theirs, "unavailable");
    expect(lane.reason(null)).toMatchObject({
      code: "outage",
      message: expect.stringMatching(/^The upstream fails/),
    });
  });

  it("counts the calls that failed by why they did", () => {
    const { lane, fail, succeed } = setup();
    for (const reason of ["throttled", "throttled", "timeout"] as const) fail(ours, reason);
    succeed();
    expect(lane.failures).toMatchObject({ throttled: 2, timeout: 1, reset: 0 });
    expect(lane.succeeded).toBe(1);
  });

  it("tells the rate of what succeeds, and forgets it while nobody sends anything", () => {
    const { lane, clock, succeed } = setup();
    lane.add(source);
    expect(lane.rate(0)).toBeNull();
    for (let call = 0; call < 20; call += 1) succeed();
    expect(lane.rate(2_000)).toBe(10);
    lane.remove(source);
    clock.advance(3_600_000);
    lane.add(source);
    expect(lane.rate(3_600_000)).toBeNull();
    expect(lane.rate(3_601_000)).toBe(0);
  });
});
