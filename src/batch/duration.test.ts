import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, parseCompletionWindow, parseDuration } from "./duration.ts";
import { NerifError } from "./errors.ts";

describe("parseDuration()", () => {
  test.each([
    ["0s", 0],
    ["250ms", 250],
    ["1.5s", 1_500],
    ["30s", 30_000],
    ["10m", 600_000],
    ["0.5h", 1_800_000],
    ["7d", 604_800_000],
    ["0.0004s", 0],
    ["36500d", 3_153_600_000_000],
  ])("reads %s", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    "5",
    "s",
    "-1s",
    "+1s",
    "1 s",
    " 1s",
    "1s\n",
    "1S",
    "1w",
    ".5s",
    "1.s",
    "1e3s",
    "0x1s",
    "Infinitys",
    "1h30m",
    "36501d",
    "999999999999999999999d",
    "__proto__",
  ])("refuses %j", (text) => {
    expect(codeOf(() => parseDuration(text))).toBe("invalid_value");
  });
});

describe("parseCompletionWindow()", () => {
  test.each([
    ["24h", 86_400],
    ["90s", 90],
    ["5m", 300],
    ["7d", 604_800],
  ])("reads %s in seconds", (text, seconds) => {
    expect(parseCompletionWindow(text)).toBe(seconds);
  });

  test.each(["", "0h", "01h", "1.5h", "100ms", "24", "24H", "-1h", "9999999999d"])("refuses %j", (text) => {
    expect(codeOf(() => parseCompletionWindow(text))).toBe("invalid_value");
  });
});

describe("formatDuration()", () => {
  test.each([
    [0, "0ms"],
    [-5, "0ms"],
    [350, "350ms"],
    [2_500, "2.5s"],
    [9_960, "10s"],
    [59_400, "59s"],
    [59_999, "1m"],
    [200_000, "3m 20s"],
    [3_599_900, "1h"],
    [3_900_000, "1h 5m"],
    [86_399_000, "1d"],
    [604_800_000, "7d"],
    [100_000_000, "1d 4h"],
    [Number.NaN, "unknown"],
    [Number.POSITIVE_INFINITY, "unknown"],
  ])("writes %d ms", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test("loses at most 3 percent, or a tenth of a second, of any duration", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e12 }), (ms) => {
        const parts = formatDuration(ms).split(" ");
        const back = parts.reduce((sum, part) => sum + parseDuration(part), 0);
        expect(Math.abs(back - ms)).toBeLessThanOrEqual(Math.max(100, ms * 0.03));
      }),
    );
  });
});

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof NerifError ? error.code : "no NerifError";
  }
}
