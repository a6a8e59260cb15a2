import { describe, expect, it } from "vitest";
import { free, giveAway, isGivenAway } from "./owned-bytes.ts";

describe("owned bytes", () => {
  it("are freed once they were given away", () => {
    const chunk = new Uint8Array(100);
    giveAway(chunk);
    expect(isGivenAway(chunk.buffer)).toBe(true);
    free(chunk.buffer);
    expect(chunk.byteLength).toBe(0);
    expect(isGivenAway(chunk.buffer)).toBe(false);
  });

  it("stay when nobody gave them away, or when others may have a part of their buffer", () => {
    const kept = new Uint8Array(100);
    const pooled = Buffer.from("small, so it lies in a pool");
    giveAway(pooled);
    for (const { buffer } of [kept, pooled]) free(buffer);
    expect(kept.byteLength).toBe(100);
    expect(pooled.toString()).toBe("small, so it lies in a pool");
  });
});
