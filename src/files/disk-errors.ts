import { errnoOf, NerifError } from "../batch/errors.ts";

/**
 * What a failed call of the file system means to Nerif. Paths stay in `cause`, which no client sees; `action`
 * names the file as far as it may be named.
 */
export function storageError(reason: unknown, action: string): NerifError {
  if (reason instanceof NerifError) return reason;
  const errno = errnoOf(reason);
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
      return new NerifError("disk_full", `Cannot ${action}: the disk is full (${errno})`, { cause: reason });
    case "ENOENT":
    case "ENOTDIR":
      return new NerifError("file_not_found", `Cannot ${action}: no such file or directory`, {
        cause: reason,
      });
    default:
      return new NerifError(
        "storage_unavailable",
        `Cannot ${action}: the file system refused with ${errno ?? "an unknown error"}`,
        { cause: reason },
      );
  }
}

/** The disk itself failed: what it holds is unknown, and the process has to stop. */
export function diskFailure(reason: unknown, action: string): NerifError {
  return new NerifError(
    "storage_unavailable",
    `Cannot ${action}: the disk failed (${errnoOf(reason) ?? "unknown error"})`,
    { cause: reason },
  );
}
