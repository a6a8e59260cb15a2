import { describe, expect, test } from "vitest";
import { isTemperatureZero } from "./temperature.ts";

const isZero = (body: string) => {
  const line = Buffer.from(`{"a":1,"body":${body},"temperature":0}`);
  return isTemperatureZero(line, 14, 14 + Buffer.byteLength(body));
};

describe("isTemperatureZero()", () => {
  test.each([
    '{"temperature":0}',
    '{"temperature":0.00,"model":"m"}',
    '{"model":"m", "temperature" : -0 }',
    '{"x":{"temperature":1},"temperature":0e5}',
    '{"x":"\\"","temperature":0.0E-1,"y":[1,{"z":"temperature"}]}',
  ])("sees the zero of %s", (body) => {
    expect(isZero(body)).toBe(true);
  });

  test.each([
    "{}",
    '{"model":"m"}',
    '{"temperature":0.1}',
    '{"temperature":1e-400}',
    '{"temperature":"0"}',
    '{"temperature":null}',
    '{"temperature":false}',
    '{"x":{"temperature":0}}',
    '{"x":"\\"temperature\\":0"}',
    '{"x":["temperature",0]}',
    '{"temperature":0,"temperature":1}',
    '{"temperature":0,"temperature":0}',
    '{"temperature":0,"temp\\u0065rature":1}',
  ])("sees none in %s", (body) => {
    expect(isZero(body)).toBe(false);
  });
});
