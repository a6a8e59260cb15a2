import { expect, test } from "vitest";
import { expectSound } from "../support/part.ts";
import { bitFlips } from "./bit-flips.ts";

test("no flipped bit of a closed store is ever served as good", { timeout: 120_000 }, async (context) => {
  const rounds = Array.from({ length: 30 }, (_, index) => index);
  const counts = await expectSound(bitFlips, { context, rounds });
  // All kinds of files were hit.
  for (const kind of ["journal", "plan", "file", "nerif.db"]) {
    expect(
      Object.keys(counts).some((name) => name.includes(kind)),
      kind,
    ).toBe(true);
  }
});
