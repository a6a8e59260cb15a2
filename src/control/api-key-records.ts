import type { Quotas, StoredApiKey } from "../batch/api-key.ts";

/** API keys, known by their hashes alone, and what each of them uses. A row is never removed. */
export interface ApiKeyRecords {
  insertApiKey(key: StoredApiKey): Promise<void>;
  getApiKey(id: string): Promise<StoredApiKey | null>;
  /** The key with this hash, also a revoked one; null when there is none. */
  findApiKey(hash: string): Promise<StoredApiKey | null>;
  /** Whether there ever was a key. */
  hasApiKeys(): Promise<boolean>;
  /** Every key, the oldest first. */
  listApiKeys(): Promise<StoredApiKey[]>;
  /** Revokes a key as of `now` (Unix seconds), unless it is already; the key as it is then, null when there is none. */
  revokeApiKey(id: string, now: number): Promise<StoredApiKey | null>;
  /** What objects of this key take up, whatever its quotas are. */
  apiKeyUsage(id: string): Promise<ApiKeyUsage>;
}

/** The part of a key's quotas that the store can count. */
export type ApiKeyUsage = { [Q in Exclude<keyof Quotas, "requests_per_second">]: number };
