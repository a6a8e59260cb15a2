import { expect, test, vi } from "vitest";
import { expectSound } from "../support/part.ts";
import { backups } from "./backups.ts";

vi.setConfig({ testTimeout: 120_000 });

test("a backup that is taken under load restores to what was acknowledged before", async (context) => {
  const counts = await expectSound(backups(1), { context, rounds: [0] });
  expect(counts["acknowledged files"]).toBeGreaterThan(0);
});
