import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";

/**
 * Makes sure that a file and its directory exist, for the owner alone (0600, 0700). A file that is there already
 * is not opened: closing any descriptor of a file drops the locks that this process has on it.
 * @throws NerifError `disk_full`, `storage_unavailable`
 */
export function createPrivateFile(path: string): void {
  try {
    createPrivateDirectory(dirname(resolve(path)));
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EEXIST") return;
    if (errno === "ENOSPC" || errno === "EDQUOT") throw NerifError.fromUnknown(error, `create ${path}`);
    throw new NerifError("storage_unavailable", `Cannot create ${path}: ${errno ?? "it failed"}`, {
      cause: error,
    });
  }
  // DURABLE: a power cut may not take away the file that holds what was acknowledged.
  syncDirectory(dirname(path));
}

function createPrivateDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  // The mode above passes through the umask, which may have taken the owner's own rights.
  if (first !== undefined) chmodSync(path, 0o700);
  // DURABLE: the names of all directories up to the root, each of which stands in its parent. Also of those that were
  // there: a process that had just made them may have died before it could sync.
  for (let made = path; made !== dirname(made); made = dirname(made)) syncIfOpen(dirname(made));
}

function syncIfOpen(path: string): void {
  try {
    syncDirectory(path);
  } catch (error) {
    // Whoever may not open it did not create anything in it either.
    if (errnoOf(error) !== "EACCES") throw error;
  }
}

function syncDirectory(path: string): void {
  // Windows has no way to open a directory, and keeps names durable by itself.
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
