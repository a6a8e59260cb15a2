import { mkdir, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errnoOf } from "../batch/errors.ts";

/** Turns what a failed sync threw into what its caller shall see, and stops everybody who relies on the disk. */
export type OnFailedSync = (reason: unknown) => unknown;

/** Creates a directory (0700) with its parents, and makes the names of all that it created durable. */
export async function prepareDirectory(directory: string, onFailedSync?: OnFailedSync): Promise<void> {
  const path = resolve(directory);
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  const top = dirname(first === undefined ? path : resolve(first));
  // DURABLE: upwards from the directory's own name. At least one level, because the process that created it may
  // have died before it could sync.
  for (let at = dirname(path); ; at = dirname(at)) {
    await syncDirectory(at, onFailedSync).catch((reason: unknown) => {
      // Whoever may not open the parent did not create anything in it either.
      if (first !== undefined || errnoOf(reason) !== "EACCES") throw reason;
    });
    if (at === top || at === dirname(at)) return;
  }
}

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
