import { setTimeout as sleep } from "node:timers/promises";
import type { CliProcess, CliResult } from "../support/cli-process.ts";
import { createMemoryGroup, groupsUnavailable } from "./oracle/memory-group.ts";
import { createRunWorld } from "./oracle/run-world.ts";
import type { Round } from "./part.ts";
import { type RoundOptions, witnessedPart } from "./witnessed-part.ts";

const concurrency = 32;
const lines = 20_000;
const limit = 300 * 1024 * 1024;
/** Too little for Node itself and this many calls: the kernel kills it somewhere. */
const tooLittle = 70 * 1024 * 1024;

/** A round: a run in a control group with 300 MiB, which must do, and one with too little, which is killed. */
export const memoryLimits = witnessedPart({
  name: "memory-limits",
  title: `nerif run of ${lines} lines in a memory control group: with 300 MiB to its end, with 70 MiB until the kernel kills it, and then on without a limit`,
  rounds: 3,
  unavailable: groupsUnavailable,
  witness: { latency: "0ms" },
  round,
});

async function round(options: RoundOptions): Promise<Round> {
  const enough = createRunWorld({ ...options, name: `${options.name}-enough`, lines, concurrency });
  const within = await inGroup(limit, enough.start());
  const first = await enough.finish(0);
  if (within.code !== 0)
    first.violations.push(`I9 it did not do with 300 MiB: ${within.code} ${within.signal}`);
  const little = createRunWorld({ ...options, name: `${options.name}-little`, lines, concurrency });
  const killed = await inGroup(tooLittle, little.start());
  const second = await little.finish(2 * concurrency);
  const violations = [...first.violations, ...second.violations];
  if (violations.length === 0) little.remove();
  return {
    counts: {
      runs: 2,
      "killed by the kernel": killed.code === 0 ? 0 : 1,
      lines: 2 * lines,
      repeated: second.repeats,
    },
    samples: { "peak within 300 MiB, MiB": [within.peak / 2 ** 20] },
    violations,
  };
}

async function inGroup(bytes: number, { child, ended }: CliProcess): Promise<CliResult & { peak: number }> {
  const group = createMemoryGroup(bytes);
  // What it has taken before stays with the group of this process; that is little.
  if (child.pid !== undefined) group.add(child.pid);
  const result = await ended;
  const peak = group.peak();
  // The kernel lets go of a process a moment after its parent knows of its end.
  await sleep(200);
  group.remove();
  return { ...result, peak };
}
