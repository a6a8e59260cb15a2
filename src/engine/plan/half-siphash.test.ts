import { describe, expect, test } from "vitest";
import { halfSipHash, newKeyedHash } from "./half-siphash.ts";

describe("halfSipHash()", () => {
  // The published vectors: key 00 01 .. 07, input 00 01 .. of each length.
  test.each(
    [
      "218d1f59b9b83cc8",
      "be552412f8387315",
      "064f39ef7c50eb57",
      "ce0f1a45f7060679",
      "d5e78a175be52ea1",
      "cb9d7c3f2f3db580",
      "ce3e91358aa2bc25",
    ].map((hash, length) => [length, hash] as const),
  )("gives the published hash of %d bytes", (length, expected) => {
    const hash = newKeyedHash(Uint8Array.from({ length: 8 }, (_, i) => i));
    // Between other bytes, which do not belong to the range.
    const bytes = Uint8Array.from({ length: length + 8 }, (_, i) => i - 4);
    halfSipHash({ bytes, start: 4, end: 4 + length }, hash);
    const out = Buffer.alloc(8);
    out.writeInt32LE(hash.low, 0);
    out.writeInt32LE(hash.high, 4);
    expect(out.toString("hex")).toBe(expected);
  });
});
