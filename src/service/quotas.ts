import { quotaExceeded, type StoredApiKey } from "../batch/api-key.ts";
import type { ApiKeyRecords } from "../control/api-key-records.ts";

/** Counts the bytes of one file while they come, and lets go of them when they are recorded or discarded. */
export interface ByteBudget {
  /** @throws NerifError `quota_exceeded` */
  take(bytes: number): void;
  /** Safe to call more than once. */
  release(): void;
}

export interface ByteBudgets {
  /** @throws NerifError `quota_exceeded` when nothing is left */
  begin(apiKey: StoredApiKey | null | undefined): Promise<ByteBudget>;
}

/**
 * Budgets for bytes that are on their way: what a key stores already and everything that it is just sending must fit
 * its quota together, so that a disk is not filled by files that would be refused at their ends.
 */
export function createByteBudgets(control: ApiKeyRecords): ByteBudgets {
  const coming = new Map<string, number>();

  return {
    async begin(apiKey) {
      const most = apiKey?.quotas.stored_bytes ?? null;
      if (!apiKey || most === null) return unlimited;
      const { id } = apiKey;
      // What is recorded is checked once more by the transaction that records it.
      const { stored_bytes: used } = await control.apiKeyUsage(id);
      if (used >= most) throw quotaExceeded("stored_bytes", { used, more: 1, most });
      let taken = 0;
      const add = (bytes: number) => {
        taken += bytes;
        const all = (coming.get(id) ?? 0) + bytes;
        if (all > 0) coming.set(id, all);
        else coming.delete(id);
        return all;
      };
      return {
        take(bytes) {
          const all = add(bytes);
          if (used + all <= most) return;
          throw quotaExceeded("stored_bytes", { used: used + all - bytes, more: bytes, most });
        },
        release: () => void add(-taken),
      };
    },
  };
}

/** Of bytes that are counted elsewhere, or that nobody limits. */
export const unlimited: ByteBudget = { take() {}, release() {} };
