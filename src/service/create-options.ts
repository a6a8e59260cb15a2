import type { StoredApiKey } from "../batch/api-key.ts";

/** How something is created, beside what it is. */
export interface CreateOptions {
  /** The key with which it is asked for; null where none is asked for. Its quotas hold. */
  apiKey?: StoredApiKey | null | undefined;
  /** Names this creation: the same key again gives the first answer again. */
  idempotencyKey?: string | undefined;
  /** Called when the answer is that of an earlier creation, and nothing was created. */
  onReplay?: (() => void) | undefined;
}
