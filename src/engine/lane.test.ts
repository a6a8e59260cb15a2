import { describe, expect, it } from "vitest";
import { createTestClock } from "../../test/support/clock.ts";
import { createScriptedUpstream, echo, fails } from "../../test/support/scripted-upstream.ts";
import type { FailureReason } from "../upstreams/upstream.ts";
import { createLane } from "./lane.ts";
import { newHistory } from "./retry.ts";

const [ours, theirs] = [`batch_${"a".repeat(32)}`, `batch_${"b".repeat(32)}`];

function setup() {
  const lane = createLane(
    { endpoint: "/v1/embeddings", model: "m" },
    {
      upstream: createScriptedUpstream(echo),
      clock: createTestClock(),
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
  return { lane, fail };
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
});
