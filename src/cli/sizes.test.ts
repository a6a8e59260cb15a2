import { describe, expect, it } from "vitest";
import { NerifError } from "../batch/errors.ts";
import { formatSize, parseSize } from "./sizes.ts";

describe("parseSize()", () => {
  it.each([
    ["4096", 4096],
    ["10MiB", 10_485_760],
    ["10mib", 10_485_760],
    ["1.5 GB", 1_500_000_000],
    ["2kB", 2_000],
    ["1 KiB", 1_024],
    ["7B", 7],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "MiB", "-1", "1e3", "10 M", "10MiBs", "0x10", "1,5GB", "99999999999999GiB"])(
    "refuses %j",
    (text) => {
      expect(() => parseSize(text)).toThrow(NerifError);
    },
  );
});

describe("formatSize()", () => {
  it.each([
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_536, "1.5 KiB"],
    [10_485_760, "10 MiB"],
    [209_715_200, "200 MiB"],
    [5_368_709_120, "5 GiB"],
  ])("writes %d as %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
