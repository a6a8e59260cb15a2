import { createHash, randomUUID } from "node:crypto";
import { constants, copyFile, link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { type NerifOptions, type Opened, openNerif, prepareDirectory } from "../compose.ts";
import type { RunPlaces } from "./run-places.ts";
import { readRunRecord } from "./run-record.ts";

/** What file systems without hard links say: exFAT, some network and FUSE file systems. */
const withoutLinks = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

/** Where the private stores of all runs are. */
export function runsDirectory(dataDir: string): string {
  return join(dataDir, "runs");
}

/** @throws NerifError `invalid_configuration` when the data directory cannot be used */
export async function makeRunsDirectory(dataDir: string): Promise<void> {
  try {
    // DURABLE: the names above the store; a power cut would take all stores away, and every call be made again.
    await prepareDirectory(runsDirectory(dataDir));
  } catch (cause) {
    const reason = {
      ENOTDIR: "it is not a directory",
      EEXIST: "it is not a directory",
      EACCES: "permission denied",
      EROFS: "the file system is read-only",
      // Directories above it that are missing are made as well, where they can be.
      ENOENT: "a directory above it cannot be made",
    };
    const errno = errnoOf(cause) ?? "";
    const why = errno in reason ? reason[errno as keyof typeof reason] : errno || "it cannot be made";
    throw new NerifError("invalid_configuration", `Cannot use the data directory ${dataDir}: ${why}`, {
      param: "data_dir",
      cause,
    });
  }
}

/**
 * The private store of a run, named by its output: whoever writes the same file is the same run. A run to stdout
 * is named by its input.
 *
 * @param inputSum SHA-256 of an input that has no path
 */
export function storeDirectory(dataDir: string, places: RunPlaces, inputSum: string | null): string {
  const name = places.output ?? `stdout\0${places.input ?? `stdin\0${inputSum}`}`;
  return join(runsDirectory(dataDir), createHash("sha256").update(name).digest("hex"));
}

/** Where the engine writes the results: where they were asked for, or beside the store's own files for stdout. */
export function resultPlaces(
  store: string,
  { output, errors }: Pick<RunPlaces, "output" | "errors">,
): { output: string; error: string | null } {
  const merged = output === null && errors === null;
  return {
    output: output ?? join(store, "output.jsonl"),
    error: merged ? null : (errors ?? join(store, "errors.jsonl")),
  };
}

/**
 * Opens the store and takes its lock.
 *
 * @throws NerifError `executor_running` naming the process that has it
 */
export async function openStore(
  options: NerifOptions & { dataDir: string },
  places: RunPlaces,
): Promise<Opened> {
  const opened = await openNerif(options);
  try {
    if (await opened.lock.acquire()) return opened;
    const holder = await opened.lock.holder();
    const who =
      holder === null
        ? "another process"
        : `${holder.command} (process ${holder.pid}, since ${holder.since})`;
    throw new NerifError(
      "executor_running",
      `Cannot run: ${places.output ?? "the same run to stdout"} is in the hands of ${who}`,
      { param: "output" },
    );
  } catch (reason) {
    await opened.close();
    throw reason;
  }
}

/**
 * Notes that the failed lines of this run go to `errors`, so that no other run writes there too.
 *
 * @throws NerifError `output_exists`
 */
export async function claimErrors(dataDir: string, store: string, errors: string | null): Promise<void> {
  if (errors === null) return;
  const path = claimPath(dataDir, errors);
  // Linked when it is whole: another run must find no claim, or one that says whose it is.
  const claim = `${path}.${randomUUID()}`;
  try {
    await writeFile(claim, store, { mode: 0o600, flag: "wx" });
    while (!(await isLinked(claim, path))) {
      if ((await ownerOf(path)) === store) return;
      await refuseClaimed(dataDir, store, errors);
      await rm(path, { force: true });
    }
  } catch (reason) {
    throw NerifError.fromUnknown(reason, `write ${path}`);
  } finally {
    await rm(claim, { force: true });
  }
}

/** False when the name is taken. */
async function isLinked(existing: string, path: string): Promise<boolean> {
  try {
    await link(existing, path).catch((reason: unknown) => {
      if (!withoutLinks.includes(errnoOf(reason) ?? "")) throw reason;
      return copyFile(existing, path, constants.COPYFILE_EXCL);
    });
    return true;
  } catch (reason) {
    if (errnoOf(reason) === "EEXIST") return false;
    throw reason;
  }
}

function ownerOf(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}

/**
 * Whether the failed lines of this run may go to `errors`; claims nothing.
 *
 * @throws NerifError `output_exists` when another run that is not finished writes its own there
 */
export async function refuseClaimed(dataDir: string, store: string, errors: string | null): Promise<void> {
  if (errors === null) return;
  const owner = await ownerOf(claimPath(dataDir, errors));
  if (owner === null || owner === store) return;
  const record = await readRunRecord(owner).catch(() => null);
  if (record?.errors !== errors || record.finished !== null) return;
  const of = record.output ?? "stdout";
  throw new NerifError(
    "output_exists",
    `Cannot write the failed lines to ${errors}: the run with the output ${of} does; choose another with --errors`,
    { param: "errors" },
  );
}

/** Removes a store for good; nothing was sent, or nobody needs it any more. */
export async function removeStore(dataDir: string, store: string, errors: string | null): Promise<void> {
  await rm(store, { recursive: true, force: true });
  if (errors === null) return;
  const path = claimPath(dataDir, errors);
  if ((await ownerOf(path)) === store) await rm(path, { force: true });
}

function claimPath(dataDir: string, errors: string): string {
  return join(runsDirectory(dataDir), `${createHash("sha256").update(errors).digest("hex")}.errors`);
}
