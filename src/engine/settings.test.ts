import { describe, expect, it } from "vitest";
import { completeSettings, defaultSettings } from "./settings.ts";

const windows =
  "must be null or two whole numbers of seconds from 1 to 3153600000, the first not above the second";

describe("completeSettings()", () => {
  it("takes the default for what is not given, and for what is undefined", () => {
    const none = { maxAttempts: undefined, maxLineBytes: undefined, strict: undefined };
    expect(completeSettings()).toEqual(defaultSettings);
    expect(completeSettings({ ...none, cancelGraceMs: undefined, completionWindows: undefined })).toEqual(
      defaultSettings,
    );
  });

  it("takes the ends of each range", () => {
    const least = {
      maxLineBytes: 1,
      maxAttempts: 1,
      strict: true,
      cancelGraceMs: 0,
      completionWindows: { min: 1, max: 1 },
    };
    expect(completeSettings(least)).toEqual(least);
    const most = { maxLineBytes: 2 ** 30, maxAttempts: 1_000, cancelGraceMs: 36_500 * 86_400_000 };
    expect(completeSettings(most)).toMatchObject(most);
  });

  it.each([
    ["maxAttempts", Number.NaN, "it is NaN and must be a whole number from 1 to 1000"],
    ["maxAttempts", 0, "it is 0 and must be a whole number from 1 to 1000"],
    ["maxAttempts", Number.POSITIVE_INFINITY, "it is Infinity and must be a whole number from 1 to 1000"],
    ["maxAttempts", 2.5, "it is 2.5 and must be a whole number from 1 to 1000"],
    ["maxAttempts", "5", 'it is "5" and must be a whole number from 1 to 1000'],
    ["maxAttempts", null, "it is null and must be a whole number from 1 to 1000"],
    ["maxLineBytes", 2 ** 30 + 1, "it is 1073741825 and must be a whole number from 1 to 1073741824"],
    ["cancelGraceMs", -1, "it is -1 and must be a whole number from 0 to 3153600000000"],
    ["strict", "no", 'it is "no" and must be true or false'],
    ["completionWindows", { min: 60, max: 1 }, `it is {"min":60,"max":1} and ${windows}`],
    ["completionWindows", { min: 0.5, max: 1 }, `it is {"min":0.5,"max":1} and ${windows}`],
    ["completionWindows", "1m..7d", `it is "1m..7d" and ${windows}`],
  ])("refuses %s %j", (name, value, why) => {
    expect(() => completeSettings({ [name]: value })).toThrow(
      expect.objectContaining({
        code: "invalid_configuration",
        message: `Cannot use settings.${name}: ${why}`,
        param: `settings.${name}`,
      }),
    );
  });
});
