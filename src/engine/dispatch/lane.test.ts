import { describe, expect, it } from "vitest";
import { createTestClock } from "../../../test/support/clock.ts";
import { createScriptedUpstream, echo, fails } from "../../../test/support/scripted-upstream.ts";
import type { Answer, FailureReason, UpstreamCall } from "../../upstreams/upstream.ts";
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
      onTested() {},
    },
  );
  let index = 0;
  function fail(batchId: string, reason: FailureReason): void {
    const call = aCall(index++, batchId);
    lane.sent(call, 0);
    lane.answered(call, fails(reason), 0);
  }
  function succeed(): void {
    const body = Buffer.from("{}");
    const call = {
      batchId: ours,
      index: index++,
      history: newHistory(),
      body,
      sentAt: 0,
      tokens: 0,
      atOnce: 0,
    };
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

function aCall(index: number, batchId = ours) {
  return { batchId, index, history: newHistory(), body: Buffer.from("{}"), sentAt: 0, tokens: 0, atOnce: 0 };
}

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

describe("a lane whose last lines all fail", () => {
  /** Eight lines have failed, and two probes with the same lines. What a request of our own gets, `answer` decides. */
  async function tested(answer: (call: UpstreamCall) => Answer) {
    const upstream = createScriptedUpstream(answer);
    const told = Promise.withResolvers<void>();
    const lane = createLane(
      { endpoint: "/v1/embeddings", model: "m" },
      {
        upstream,
        clock: createTestClock(),
        requests: null,
        tokens: null,
        share: null,
        onTested: () => told.resolve(),
      },
    );
    const calls = Array.from({ length: 8 }, (_, index) => aCall(index));
    const taken: number[] = [];
    const source: LineSource = {
      ...{ project: "p", weight: 1, deadline: 1, signal: new AbortController().signal },
      bytes: () => 2,
      take() {
        taken.push(1);
        return null;
      },
      dueMs: () => 0,
      answered() {},
    };
    let now = 0;
    function fail(call: ReturnType<typeof aCall>): void {
      now += 60_000;
      lane.sent(call, now);
      lane.answered(call, fails("unavailable"), now);
    }
    for (const call of [...calls, ...calls.slice(0, 2)]) fail(call);
    expect(lane.circuit.open).toBe("outage");
    lane.add(source);
    expect(lane.take(now + 60_000)).toBeNull();
    expect(taken).toEqual([]);
    await told.promise;
    return { lane, upstream, calls, fail };
  }

  it("asks something of its own, and learns that the upstream is well and the lines are not", async () => {
    const { lane, upstream, calls, fail } = await tested(echo);
    expect(upstream.calls).toHaveLength(1);
    expect(upstream.calls[0]?.idempotencyKey).toMatch(/^nerif-test:\d+$/);
    expect(Buffer.from(upstream.calls[0]?.body ?? "").toString()).toBe('{"model":"m","input":"Say OK."}');
    expect([lane.circuit.open, lane.succeeded]).toEqual([null, 0]);
    // Within the trust that it gives, lines that had failed before are no outage, however many they are.
    for (const call of calls) {
      lane.sent(call, 0);
      lane.answered(call, fails("unavailable"), 0);
    }
    expect(lane.circuit.open).toBeNull();
    for (const call of calls) fail(call);
    expect(lane.circuit.open).toBe("outage");
  });

  it.each(["unavailable", "rejected", "throttled"] as const)(
    "takes it for an outage as long as that is %s too",
    async (reason) => {
      const { lane } = await tested(() => fails(reason));
      expect(lane.circuit.open).toBe("outage");
    },
  );
});
