import { describe, expect, test } from "vitest";
import { fails } from "../../../test/support/scripted-upstream.ts";
import type { Answer } from "../../upstreams/upstream.ts";
import { createBudget } from "./budget.ts";
import { type Controller, type ControllerOptions, createController, type PacedCall } from "./controller.ts";

const body = { length: 100 };

function setup(options: Partial<ControllerOptions> = {}) {
  return createController({
    floor: 1,
    ceiling: 1_000,
    requests: null,
    tokens: null,
    yields: null,
    ...options,
  });
}

function call(): PacedCall {
  return { body, sentAt: 0, tokens: 0, atOnce: 0 };
}

const success: Answer = {
  ...{ ok: true, status: 200, requestId: null, body: Buffer.from("{}") },
  tokens: { input: 20, cached: 0, output: 10, reasoning: 0, total: 30 },
};

describe("createController()", () => {
  test("has room for as many calls as the limit says, and again after an answer", () => {
    const controller = setup({ floor: 2, ceiling: 2 });
    const [first, second] = [call(), call()];
    controller.sent(first, 0);
    expect(controller.waitMs(0, 100)).toBe(0);
    controller.sent(second, 0);
    expect(controller.waitMs(0, 100)).toBe(Number.POSITIVE_INFINITY);
    controller.answered(first, success, 10);
    expect([controller.inFlight, controller.waitMs(10, 100)]).toEqual([1, 0]);
  });

  test("waits as long as the upstream asked, at most ten minutes", () => {
    const controller = setup();
    const calls = [call(), call()];
    for (const each of calls) controller.sent(each, 0);
    controller.answered(calls[0] ?? call(), fails("unavailable", 3_000), 10);
    expect(controller.waitMs(10, 100)).toBe(3_000);
    controller.answered(calls[1] ?? call(), fails("throttled", 1e12), 20);
    expect(controller.pauseMs(20)).toBe(600_000);
  });

  test.each([
    ["after an outage", (controller: Controller) => controller.restart(90_000), 90_000],
    ["after a minute without a call", () => {}, 200_000],
  ])("begins anew %s, however long answers took before", (_, restart, now) => {
    const controller = setup();
    const calls = [call(), call(), call()] as const;
    for (const each of calls) controller.sent(each, 0);
    controller.answered(calls[0], success, 80_000);
    controller.answered(calls[1], fails("throttled"), 80_000);
    controller.answered(calls[2], success, 80_000);
    restart(controller);
    let sent = 0;
    for (; controller.waitMs(now, 100) === 0; sent += 1) controller.sent(call(), now);
    expect(sent).toBe(controller.limit);
    expect(sent).toBeGreaterThan(1);
  });

  test("keeps to a budget of tokens and gives back what was not used", () => {
    const tokens = createBudget(7_000);
    const controller = setup({ tokens });
    const sent: PacedCall[] = [];
    while (controller.waitMs(0, 100) === 0) {
      const each = call();
      controller.sent(each, 0);
      sent.push(each);
    }
    // 230 tokens may go out at once; of each call nothing is known but its 100 bytes.
    expect(sent).toHaveLength(2);
    for (const each of sent) controller.answered(each, success, 1);
    expect(controller.waitMs(1, 100)).toBe(0);
  });

  test("believes what answers say of requests that remain", () => {
    const controller = setup();
    const first = call();
    controller.sent(first, 0);
    const limits = { requests: { limit: 10, remaining: 0, resetMs: 10_000 }, tokens: null };
    controller.answered(first, { ...success, limits }, 100);
    expect(controller.waitMs(100, 100)).toBeCloseTo(1_000);
  });

  test("begins with a few calls after an outage and after a minute of rest", () => {
    const controller = setup();
    let now = 0;
    for (let round = 0; round < 5; round++) {
      const calls = Array.from({ length: controller.limit }, call);
      for (const each of calls) controller.sent(each, now);
      now += 50;
      for (const each of calls) controller.answered(each, success, now);
    }
    expect(controller.limit).toBe(128);
    controller.sent(call(), now + 61_000);
    expect(controller.limit).toBe(4);
  });
});
