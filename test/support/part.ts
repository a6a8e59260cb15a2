import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, type TestContext } from "vitest";
import type { Part } from "../crash/part.ts";

/**
 * Runs some rounds of a part and expects that none breaks a promise; skips, with the reason, where the machine
 * cannot. What a failed round left stays on the disk.
 */
export async function expectSound(
  part: Part,
  { context, rounds, seed = 1 }: { context: TestContext; rounds: readonly number[]; seed?: number },
): Promise<Record<string, number>> {
  const reason = part.unavailable();
  if (reason !== null) context.skip(reason);
  const directory = await mkdtemp(join(tmpdir(), `nerif-${part.name}-`));
  const counts: Record<string, number> = {};
  let sound = false;
  await using open = await part.open({ directory, seed });
  onTestFinished(async () => {
    if (sound) await rm(directory, { recursive: true, force: true });
  });
  for (const index of rounds) {
    const round = await open.round(index);
    // It came to its end by itself: there is nothing behind it.
    if (round === null) break;
    expect(round.violations, `round ${index} of seed ${seed}, kept in ${directory}`).toEqual([]);
    for (const [name, count] of Object.entries(round.counts)) counts[name] = (counts[name] ?? 0) + count;
  }
  sound = true;
  return counts;
}
