import { expect, test } from "vitest";
import { expectSound } from "../support/part.ts";
import { clusterPart } from "./cluster.ts";

/** Both at once: most of the time somebody stands still. `npm run test:crash -- --only cluster` runs many more. */
test("a cluster loses and doubles nothing while its processes, its database and its files fail", async (context) => {
  const parts = (["directory", "s3"] as const).map((on) => clusterPart(on));
  const counts = await Promise.all(
    parts.map((part) => expectSound(part, { context, rounds: [0, 1], seed: 3 })),
  );
  for (const { lines } of counts) expect(lines).toBeGreaterThan(1_000);
});
