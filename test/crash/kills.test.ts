import { expect, test, vi } from "vitest";
import { expectSound } from "../support/part.ts";
import { runKills } from "./kills-run.ts";
import { serveKills } from "./kills-serve.ts";

vi.setConfig({ testTimeout: 120_000 });

test("nerif serve loses and doubles nothing when it is killed while two clients use it", async (context) => {
  const counts = await expectSound(serveKills, { context, rounds: [0] });
  expect(counts.kills).toBeGreaterThan(5);
});

test("nerif run loses and doubles nothing when it is killed at random moments", async (context) => {
  const counts = await expectSound(runKills, { context, rounds: [0] });
  expect(counts.kills).toBeGreaterThan(0);
});
