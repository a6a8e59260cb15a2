import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { beginText, createPlainStopIndex, nextStop, type StopIndex } from "./string-stops.ts";
import { loadStopIndex } from "./string-stops-wasm.ts";

const byte = fc.oneof(fc.constantFrom(0x22, 0x5c, 0x0a, 0x1f, 0x20, 0x21, 0x7f, 0x80, 0xff), fc.nat(0xff));
const text = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.array(byte, { maxLength: 100 }).map((bytes) => Uint8Array.from(bytes)),
);

describe("loadStopIndex()", () => {
  test("finds what the plain index finds", () => {
    const fast = loadStopIndex(128);
    if (fast === null) throw new Error("Cannot compare: there is no WebAssembly here");
    const plain = createPlainStopIndex(128);
    fc.assert(
      fc.property(text, (bytes) => {
        expect(found(fast, bytes)).toEqual(found(plain, bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  test("finds a window that is nothing but stops", () => {
    const fast = loadStopIndex(64 * 1024);
    const all = new Uint8Array(64 * 1024).fill(0x22);
    expect(fast === null ? [] : found(fast, all)).toEqual(Array.from(all, (_, i) => i));
  });
});

describe("nextStop()", () => {
  test("goes from stop to stop through texts of several windows, wherever it is asked from", () => {
    const place = fc.nat(200_000);
    fc.assert(
      fc.property(fc.array(place, { maxLength: 20 }), fc.array(place, { maxLength: 20 }), (stops, asked) => {
        const bytes = new Uint8Array(200_001).fill(0x61);
        for (const stop of stops) bytes[stop] = 0x5c;
        beginText(bytes);
        for (const from of asked.toSorted((a, b) => a - b)) {
          const expected = Math.min(bytes.length, ...stops.filter((stop) => stop >= from));
          // Behind the end is any position there.
          expect(Math.min(bytes.length, nextStop(from))).toBe(expected);
        }
      }),
    );
  });

  test("knows nothing of the text before", () => {
    beginText(Buffer.from(`"${"\\".repeat(50)}`));
    expect(nextStop(0)).toBe(0);
    beginText(Buffer.from("abc"));
    expect(nextStop(0)).toBeGreaterThanOrEqual(3);
  });
});

function found({ window, positions, find }: StopIndex, bytes: Uint8Array): number[] {
  window.set(bytes);
  return [...positions.subarray(0, find(bytes.length))].filter((pos) => pos < bytes.length);
}
