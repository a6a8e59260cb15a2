import type { Failure } from "../../upstreams/upstream.ts";
import type { Lane, LineSource } from "./lane.ts";
import type { LineHistory } from "./retry.ts";
import type { ShardRun } from "./shard-run.ts";

/** One line on its way through execution. */
export interface Line {
  batchId: string;
  /** 0-based index of the line among the requests of its batch. */
  index: number;
  shard: ShardRun;
  endpoint: string;
  model: string | null;
  /** The raw JSON string of the input, quotes included. */
  customId: string;
  body: Buffer;
  history: LineHistory;
  /** The last failure, while the line waits for another try. */
  last: Failure | null;
  /** When the line may be tried again, on the monotonic clock. */
  dueAt: number;
  /** When it was sent the last time, on the monotonic clock, and the tokens set aside for it. */
  sentAt: number;
  tokens: number;
  /** Calls that were in flight at its upstream when it was sent the last time, itself among them. */
  atOnce: number;
  /** Who sends it. */
  source: LineSource | null;
  /** The lane that counts it as waiting, while it waits for another try. */
  failedOn: Lane | null;
}
