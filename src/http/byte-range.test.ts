import { expect, it } from "vitest";
import { byteRange } from "./byte-range.ts";

const whole = { type: "whole" };
const unsatisfiable = { type: "unsatisfiable" };
const part = (start: number, end: number) => ({ type: "part", start, end });

it.each([
  [null, whole],
  ["bytes=0-0", part(0, 1)],
  ["bytes=0-9", part(0, 10)],
  ["bytes=0-99", part(0, 10)],
  ["bytes=4-", part(4, 10)],
  ["bytes=9-", part(9, 10)],
  ["bytes=-3", part(7, 10)],
  ["bytes=-99", part(0, 10)],
  ["BYTES=2-3", part(2, 4)],
  ["bytes=10-", unsatisfiable],
  ["bytes=10-12", unsatisfiable],
  ["bytes=-0", unsatisfiable],
  ["bytes=-", whole],
  ["bytes=5-4", whole],
  ["bytes=0-1,3-4", whole],
  ["bytes=a-b", whole],
  ["lines=0-1", whole],
  ["bytes=0x1-2", whole],
  ["bytes=99999999999999999999-", unsatisfiable],
  ["bytes=4-18446744073709551615", part(4, 10)],
  ["bytes=-18446744073709551615", part(0, 10)],
])("the Range %j of ten bytes is %j", (header, range) => {
  expect(byteRange(header, 10)).toEqual(range);
});

it("an empty file has no range", () => {
  expect(byteRange("bytes=0-", 0)).toEqual(unsatisfiable);
  expect(byteRange("bytes=-1", 0)).toEqual(unsatisfiable);
});
