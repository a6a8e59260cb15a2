import { expect, it } from "vitest";
import { longMinusShort, ratios, type Turn, takeTurns } from "./turns.ts";

const turn = (cpuMicrosecondsPerLine: number): Turn => ({
  cpuMicrosecondsPerLine,
  linesPerSecond: 1,
  peakMiB: 1,
});

it("long minus short leaves out what every run costs", async () => {
  const ran: number[] = [];
  const shown = await longMinusShort([10, 110], async (lines) => {
    ran.push(lines);
    return { cpuSeconds: 3 + lines / 1_000, seconds: 5 + lines / 50, peakBytes: lines * 2 ** 20 };
  });
  expect(ran).toEqual([10, 110]);
  expect(shown.cpuMicrosecondsPerLine).toBeCloseTo(1_000);
  expect(shown.linesPerSecond).toBeCloseTo(50);
  expect(shown).toMatchObject({ peakMiB: 110, shortPeakMiB: 10 });
});

it("contestants take turns, and are divided round by round", async () => {
  const order: string[] = [];
  const contestant = (name: string, figures: number[]) => ({
    name,
    async turn() {
      order.push(name);
      return turn(figures.shift() ?? 0);
    },
  });
  const turns = await takeTurns([contestant("a", [10, 30]), contestant("b", [5, 10])], 2);
  expect(order).toEqual(["a", "b", "a", "b"]);
  expect(ratios(turns, "cpuMicrosecondsPerLine", ["a", "b"])).toEqual([2, 3]);
});
