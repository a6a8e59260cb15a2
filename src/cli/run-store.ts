import { createHash, randomUUID } from "node:crypto";
import { constants, copyFile, link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, NerifError } from "../batch/errors.ts";
import { type NerifOptions, type Opened, openNerif, type PlaceOf, prepareDirectory } from "../compose.ts";
import { exists } from "./run-begin.ts";
import type { RunPlaces } from "./run-places.ts";
import { type RunRecord, readRunRecord } from "./run-record.ts";

/** What file systems without hard links say: exFAT, some network and FUSE file systems. */
const withoutLinks = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"];

type Targets = Pick<RunPlaces, "output" | "errors">;

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
export function storeDirectory(
  dataDir: string,
  places: Pick<RunPlaces, "input" | "output">,
  inputSum: string | null,
): string {
  const name = places.output ?? `stdout\0${places.input ?? `stdin\0${inputSum}`}`;
  return join(runsDirectory(dataDir), createHash("sha256").update(name).digest("hex"));
}

/** Where the engine writes the results: where they were asked for, or beside the store's own files for stdout. */
export function resultPlaces(
  store: string,
  { output, errors }: Targets,
): { output: string; error: string | null } {
  const merged = output === null && errors === null;
  return {
    output: output ?? join(store, "output.jsonl"),
    error: merged ? null : (errors ?? join(store, "errors.jsonl")),
  };
}

/**
 * Where the engine writes what becomes of a batch in a run's store: the run's own goes where it was asked for, whoever
 * executes it, and retries of it stay in the store.
 */
export function placeOfRun(store: string): PlaceOf {
  return async (batchId) => {
    const record = await readRunRecord(store);
    if (record?.batch_id !== batchId) return null;
    return { ...resultPlaces(store, record), replace: record.overwrite };
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
 * Notes where this run writes, so that no other run writes there too. Its record, which names the output, is there.
 *
 * @throws NerifError `output_exists`
 */
export async function claimPlaces(dataDir: string, store: string, places: Targets): Promise<void> {
  if (places.errors !== null) await claimErrors(dataDir, store, places.errors);
  // Only now: of two runs that begin at once, the later one at least finds what the other has noted.
  await refuseClaimed(dataDir, store, places);
}

async function claimErrors(dataDir: string, store: string, errors: string): Promise<void> {
  const path = claimPath(dataDir, errors);
  // Linked when it is whole: another run must find no claim, or one that says whose it is.
  const claim = `${path}.${randomUUID()}`;
  try {
    await writeFile(claim, store, { mode: 0o600, flag: "wx" });
    while (!(await isLinked(claim, path))) {
      if ((await ownerOf(path)) === store) return;
      await refuseClaimed(dataDir, store, { output: null, errors });
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
 * Whether this run may write where it is to; claims nothing.
 *
 * @throws NerifError `output_exists` when another run that is not finished writes there, or when failed lines would
 *   take the place of what a finished one has written, also with `--force`: nobody had these in mind
 */
export async function refuseClaimed(
  dataDir: string,
  store: string,
  { output, errors }: Targets,
): Promise<void> {
  if (output !== null) {
    const run = await rivalOf(store, await ownerOf(claimPath(dataDir, output)));
    if (run?.errors === output && run.finished === null) throw claimed(run, `the results to ${output}`, "-o");
  }
  if (errors === null) return;
  const byOutput = storeDirectory(dataDir, { input: null, output: errors }, null);
  for (const owner of [await ownerOf(claimPath(dataDir, errors)), byOutput]) {
    const run = await rivalOf(store, owner);
    if (run !== null && (await holds(run, errors)))
      throw claimed(run, `the failed lines to ${errors}`, "--errors");
  }
}

async function rivalOf(store: string, owner: string | null): Promise<RunRecord | null> {
  return owner === null || owner === store ? null : readRunRecord(owner).catch(() => null);
}

/** Whether a run writes there, or what is there is its own. */
async function holds({ output, errors, finished }: RunRecord, path: string): Promise<boolean> {
  if (finished === null) return output === path || errors === path;
  const wrote = (finished.output && output === path) || (finished.errors && errors === path);
  return wrote && (await exists(path));
}

function claimed({ output, finished }: RunRecord, what: string, flag: "-o" | "--errors"): NerifError {
  const does = finished === null ? "does" : "has written what is there; move it away, or";
  const or = finished === null ? "; " : " ";
  return new NerifError(
    "output_exists",
    `Cannot write ${what}: the run with the output ${output ?? "stdout"} ${does}${or}choose another with ${flag}`,
    { param: flag === "-o" ? "output" : "errors" },
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
