import { describe, expect, it } from "vitest";
import { parseMoment } from "./moment.ts";

const noon = Date.UTC(2026, 10, 22, 12) / 1_000;

describe("parseMoment()", () => {
  it.each([
    ["0", 0],
    ["1795300000", 1_795_300_000],
    ["2026-11-22", noon - 43_200],
    ["2026-11-22T12:00", noon],
    ["2026-11-22T12:00:01", noon + 1],
    ["2026-11-22T12:00:00.999Z", noon],
    ["2026-11-22T12:00:00+02:00", noon - 7_200],
  ])("reads %s", (text, seconds) => {
    expect(parseMoment(text)).toBe(seconds);
  });

  it.each([
    "",
    "-1",
    "1.5",
    "yesterday",
    "2026-13-01",
    "2026-02-30",
    "2026-11-22 12:00",
    "1969-12-31",
    "22.11.2026",
  ])("refuses %j", (text) => {
    expect(() => parseMoment(text)).toThrow(
      /^Cannot read .* as a time: it must be Unix seconds or look like/,
    );
  });
});
