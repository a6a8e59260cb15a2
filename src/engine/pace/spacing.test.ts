import { describe, expect, test } from "vitest";
import { createSpacing } from "./spacing.ts";

/** The calls that go out within `ms` when each may as soon as there is no wait. */
function sentWithin(spacing: ReturnType<typeof createSpacing>, ms: number, limit: number): number {
  let sent = 0;
  for (let now = 1_000; now < 1_000 + ms; now++) {
    while (spacing.waitMs(now) === 0 && sent < limit) {
      spacing.sent(now, limit);
      sent += 1;
    }
  }
  return sent;
}

describe("createSpacing()", () => {
  test("holds nothing back before the first refusal", () => {
    const spacing = createSpacing();
    spacing.served(0, 100);
    expect(sentWithin(spacing, 1, 40)).toBe(40);
  });

  test("spreads calls over half the time of an answer afterwards", () => {
    const spacing = createSpacing();
    spacing.served(0, 100);
    spacing.begin(1_000);
    expect(sentWithin(spacing, 25, 40)).toBeGreaterThanOrEqual(20);
    const other = createSpacing();
    other.served(0, 100);
    other.begin(1_000);
    expect(sentWithin(other, 25, 40)).toBeLessThan(28);
  });

  test("holds nothing back as long as no answer has told how long one takes", () => {
    const spacing = createSpacing();
    spacing.begin(1_000);
    expect(sentWithin(spacing, 1, 40)).toBe(40);
  });
});
