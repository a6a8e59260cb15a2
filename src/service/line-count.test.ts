import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLineCount } from "./line-count.ts";

describe("line count", () => {
  it("is the number of lines that are not blank, however the bytes arrive", () => {
    const pieces = fc.constantFrom("\n", "\r\n", " ", "\t", "{}", "a b", "ä", "x".repeat(100), "\n\n");
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 6 }),
        (parts, sizes) => {
          const text = parts.join("");
          const bytes = Buffer.from(text);
          const count = createLineCount();
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            count.write(bytes.subarray(at, at + size));
            at += size;
          }
          const expected = text.split("\n").filter((line) => !/^[ \t\r]*$/.test(line)).length;
          expect(count.lines()).toBe(expected);
        },
      ),
      { numRuns: 500 },
    );
  });
});
