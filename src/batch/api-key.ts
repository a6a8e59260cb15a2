import { NerifError } from "./errors.ts";

/** What one key may use; null: as much as there is. */
export interface Quotas {
  /** Bytes of files and of parts of uploads that were stored with this key. */
  stored_bytes: number | null;
  /** Uploads that are pending at once. */
  open_uploads: number | null;
  /** Lines of batches that are not final, as far as they are not done. */
  queued_lines: number | null;
  requests_per_second: number | null;
}

export const noQuotas: Quotas = {
  stored_bytes: null,
  open_uploads: null,
  queued_lines: null,
  requests_per_second: null,
};

/** What Nerif keeps of an API key; never the key itself. All times are Unix seconds. */
export interface StoredApiKey {
  id: string;
  /** Whose objects the key sees; all others are unknown to it. */
  project: string;
  name: string;
  /** Hexadecimal SHA-256 of the key, which has 256 random bits. */
  hash: string;
  /** The last characters, by which people tell keys apart. */
  hint: string;
  quotas: Quotas;
  created_at: number;
  revoked_at: number | null;
}

/** What an operator sees of a key. */
export interface ApiKeyObject {
  id: string;
  object: "api_key";
  project: string;
  name: string;
  hint: string;
  quotas: Quotas;
  created_at: number;
  revoked_at: number | null;
}

export function apiKeyObject({ hash: _, id, ...rest }: StoredApiKey): ApiKeyObject {
  return { id, object: "api_key", ...rest };
}

/** The refusal of a request that would take more than a key may use. */
export function quotaExceeded(
  quota: keyof Quotas,
  { used, more, most }: { used: number; more: number; most: number },
): NerifError {
  return new NerifError(
    "quota_exceeded",
    `Cannot accept the request: the quota '${quota}' of this API key is ${most}, of which ${used} are used, and it needs ${more} more`,
  );
}
