import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errnoOf } from "../batch/errors.ts";

/** Turns what a failed sync threw into what its caller shall see, and stops everybody who relies on the disk. */
export type OnFailedSync = (reason: unknown) => unknown;

/** Creates a directory (0700) with its parents, and makes the names of all of them durable. */
export async function prepareDirectory(directory: string, onFailedSync?: OnFailedSync): Promise<void> {
  const path = resolve(directory);
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  const top = dirname(first === undefined ? path : resolve(first));
  // DURABLE: upwards from the directory's own name, to the root: a process that created some of them may have died
  // before it could sync, and nobody can tell which.
  let isOurs = first !== undefined;
  for (let at = dirname(path); ; at = dirname(at)) {
    if (isOurs) await syncDirectory(at, onFailedSync);
    else await syncDirectory(at).catch(ignoreForeign);
    if (at === top) isOurs = false;
    if (at === dirname(at)) return;
  }
}

/**
 * Whoever may not open a directory did not create anything in it either; and what cannot be written or cannot sync, as
 * the root of many a container, holds no name that was just made.
 */
function ignoreForeign(reason: unknown): void {
  if (!foreign.has(errnoOf(reason) ?? "")) throw reason;
}

const foreign: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS", "EINVAL", "ENOTSUP"]);

/** Makes names that were created, renamed or removed in a directory durable. */
export async function syncDirectory(
  directory: string,
  onFailedSync: OnFailedSync = (reason) => reason,
): Promise<void> {
  // Windows cannot sync a directory; its file systems log such changes themselves.
  if (process.platform === "win32") return;
  const handle = await open(directory, "r");
  try {
    await handle.sync().catch((reason: unknown) => {
      // Tried again it would succeed without having written anything.
      throw onFailedSync(reason);
    });
  } finally {
    await handle.close();
  }
}
