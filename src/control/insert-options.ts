import type { Quotas } from "../batch/api-key.ts";
import type { StoredFile } from "../batch/file.ts";
import type { StoredAnswer } from "./idempotency-records.ts";

/** How a row is added; all in one transaction, so that either everything is recorded or nothing. */
export interface InsertOptions {
  /**
   * Refuses the row, with `quota_exceeded`, when it takes the usage of its key beyond these. Default: it is added
   * whatever is used.
   */
  quotas?: Quotas | undefined;
  /** The answer that tells of the row. Refused with `idempotency_key_reused` when its key has one already. */
  answer?: StoredAnswer | undefined;
}

export interface InsertBatchOptions extends InsertOptions {
  /** The input of the batch, where it is recorded together with it; its bytes count for the quotas. Default: it is there. */
  input?: StoredFile | undefined;
}
