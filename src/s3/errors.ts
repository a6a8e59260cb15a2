import { errnoOf, NerifError } from "../batch/errors.ts";

/** Answers that say that there is no room, as the servers name them. */
const full = new Set([
  "QuotaExceeded",
  "XMinioStorageFull",
  "XMinioAdminBucketQuotaExceeded",
  "InsufficientStorage",
]);

/** Answers that say that the object is not there; `NotFound` is that of a HEAD, which has no text. */
const absent = new Set(["NoSuchKey", "NotFound"]);

/**
 * What a failed call of the object store means to Nerif. Of the answer only its code and status are kept: the rest may
 * name the bucket, the key id, even what was signed. `action` names the file as far as it may be named.
 */
export function s3Error(reason: unknown, action: string): NerifError {
  if (reason instanceof NerifError) return reason;
  const code = codeOf(reason);
  const cause = new Error(`${code}, status ${statusOf(reason) ?? "none"}`);
  if (absent.has(code)) {
    return new NerifError("file_not_found", `Cannot ${action}: no such file or directory`, { cause });
  }
  if (full.has(code) || statusOf(reason) === 507) {
    return new NerifError("disk_full", `Cannot ${action}: the object store is full (${code})`, { cause });
  }
  return new NerifError("storage_unavailable", `Cannot ${action}: the object store refused with ${code}`, {
    cause,
  });
}

/** The code that S3 gave, else that of the system, else the kind of error; never free text. */
export function codeOf(reason: unknown): string {
  const errno = errnoOf(reason);
  const name = reason instanceof Error && reason.name !== "Error" ? reason.name : null;
  const code = [errno, name].find((one) => one !== null && /^[A-Za-z0-9_]{1,64}$/.test(one));
  return code ?? "an unknown error";
}

export function statusOf(reason: unknown): number | null {
  if (typeof reason !== "object" || reason === null || !("$metadata" in reason)) return null;
  const { $metadata } = reason as { $metadata?: { httpStatusCode?: number } };
  return $metadata?.httpStatusCode ?? null;
}
