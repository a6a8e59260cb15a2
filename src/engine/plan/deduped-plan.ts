import type { FileReader, FileStore } from "../../files/file-store.ts";
import { createFollowersWriter } from "./followers-file.ts";
import type { PlannedLine } from "./plan.ts";
import { createSameBodies } from "./same-bodies.ts";

/** What validation gives lines to, in the order of the file. */
export interface LinePlan {
  /** Takes the next line. */
  add(planned: PlannedLine): void;
  /** Writes what is full. */
  flush(): Promise<void>;
  /** Writes the rest and makes it durable. */
  commit(): Promise<void>;
  /** Forgets it. Safe to call at any time. */
  abort(): Promise<void>;
}

interface DedupeOptions {
  input: FileReader;
  files: FileStore;
  /** Where it is written down who follows whom. */
  key: string;
}

/**
 * Keeps lines out of a plan that ask for what an earlier line asks for, and writes down whose answer they get. The same
 * input always has the same plan and the same followers.
 *
 * @throws NerifError `disk_full`, `storage_unavailable`, also from its methods
 */
export async function dedupedPlan(plan: LinePlan, options: DedupeOptions): Promise<LinePlan> {
  const bodies = createSameBodies(options);
  const followers = await createFollowersWriter(options.files, options.key);
  /** From the first line in doubt on, since a plan takes lines in their order; no more than one chunk of the file. */
  let waiting: { planned: PlannedLine; candidates: number[] | null }[] = [];

  async function settle(): Promise<void> {
    const settled = waiting;
    waiting = [];
    const doubts = settled.flatMap(({ planned, candidates }) =>
      candidates === null ? [] : [{ planned, candidates }],
    );
    const leaders = await bodies.settle(doubts);
    let next = 0;
    for (const { planned, candidates } of settled) {
      const leader = candidates === null ? null : (leaders[next++] ?? null);
      if (leader === null) plan.add(planned);
      else followers.add(planned, leader);
    }
  }

  return {
    add(planned) {
      const candidates = bodies.add(planned);
      if (candidates === null && waiting.length === 0) plan.add(planned);
      // A copy: the line's bytes are only there during this call.
      else waiting.push({ planned: { ...planned, bytes: Buffer.from(planned.bytes) }, candidates });
    },
    async flush() {
      await settle();
      await followers.flush();
      await plan.flush();
    },
    async commit() {
      await settle();
      await followers.commit();
      await plan.commit();
    },
    async abort() {
      await followers.abort();
      await plan.abort();
    },
  };
}
