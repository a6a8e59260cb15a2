import { NerifError } from "../batch/errors.ts";

/** A shard is in other hands; what is in its journal counts, and the batch is looked at again. */
export function leaseLost({ batchId, shard }: { batchId: string; shard: number }): NerifError {
  return new NerifError(
    "aborted",
    `Cannot go on with ${batchId}: another process has taken shard ${shard} over`,
  );
}
