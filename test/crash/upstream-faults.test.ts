import { expect, test, vi } from "vitest";
import { expectSound } from "../support/part.ts";
import { faultModeParts } from "./upstream-faults.ts";
import { mixedFaults } from "./upstream-faults-mixed.ts";

vi.setConfig({ testTimeout: 120_000 });

test("nerif run keeps the rules of attempts when an upstream drops every third connection", async (context) => {
  const part = faultModeParts().find(({ name }) => name === "fault-rst-in-body");
  if (part === undefined) throw new Error("There is no such part");
  const counts = await expectSound(part, { context, rounds: [0] });
  expect(counts.calls).toBeGreaterThan(230);
});

test("nerif run has each line once when an upstream fails in every way at once", async (context) => {
  const counts = await expectSound(mixedFaults("run", 2_000), { context, rounds: [0] });
  expect(counts.failed).toBeGreaterThan(3);
});
