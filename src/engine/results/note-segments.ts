import { noTokens } from "../../batch/usage.ts";
import type { ControlStore, Shard } from "../../control/control-store.ts";
import { type Journal, recordKinds } from "../../journal/journal.ts";
import { countResult } from "../dispatch/tally.ts";
import { leaseLost } from "../lease-lost.ts";
import type { Followers } from "../plan/followers.ts";
import { indexShard } from "../plan/shard-index.ts";

const shardsAtATime = 256;
const leaseMs = 12_000;

/**
 * Takes over each shard that some holder left unfinished and notes how far its segments count, so that the result
 * files can be derived. Shards that nobody ever leased have no segments.
 * @returns false while a shard is in the hands of somebody who may be alive: ask again later
 */
export async function noteDeadHolders(batchId: string, deps: NotingDeps): Promise<boolean> {
  let after = -1;
  let allNoted = true;
  for (;;) {
    const shards = await deps.control.shardsInOrder(batchId, after, shardsAtATime);
    for (const shard of shards) {
      if (shard.state !== "done" && shard.epoch > 0 && !(await noteShard(shard, deps))) allNoted = false;
    }
    const last = shards.at(-1);
    if (last === undefined) return allNoted;
    after = last.firstLine;
  }
}

interface NotingDeps {
  control: ControlStore;
  journal: Journal;
  followers: Followers | null;
  holder: string;
}

async function noteShard(
  { batchId, shard, endpoint, model }: Shard,
  { control, journal, followers, holder }: NotingDeps,
): Promise<boolean> {
  const [lease] = await control.leaseShards({ batchId, shard, endpoint, model, holder, limit: 1, leaseMs });
  if (lease === undefined) return false;
  const tally = { completed: 0, failed: 0, tokens: noTokens() };
  const index = await indexShard(lease, {
    journal,
    below: lease.epoch,
    onResult(kind, payload, line) {
      const tokens = kind === recordKinds.output ? payload : null;
      countResult(tally, { kind, tokens }, followers?.weight(line));
    },
  });
  if (!(await control.releaseShard(lease, index.segments, tally))) throw leaseLost(lease);
  return true;
}
