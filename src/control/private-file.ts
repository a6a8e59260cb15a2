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
  if (first === undefined) return;
  // The mode above passes through the umask, which may have taken the owner's own rights.
  chmodSync(path, 0o700);
  // DURABLE: the names of all new directories, each of which stands in its parent.
  for (let made = path; ; made = dirname(made)) {
    syncDirectory(dirname(made));
    if (made === first || made === dirname(made)) return;
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
