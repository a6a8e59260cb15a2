import { readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import type { Command } from "commander";
import type { Batch } from "../batch/batch.ts";
import { formatDuration } from "../batch/duration.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { type Opened, openNerif, resolveDataDir } from "../compose.ts";
import { addOptions, resolveConfig } from "./config.ts";
import type { OptionName } from "./options.ts";
import { type RunRecord, readRunRecord } from "./run-record.ts";
import { removeStore, runsDirectory } from "./run-store.ts";
import { print, printJson } from "./show.ts";
import { counted, say } from "./terminal.ts";

const options = ["dataDir", "olderThan", "dryRun", "json"] as const satisfies OptionName[];

/** `nerif prune`: frees the space of what has ended. */
export function pruneCommand(command: Command): void {
  addOptions(command, options)
    .addHelpText("after", examples)
    .action(async (flags: Record<string, unknown>) => {
      await prune(flags);
    });
}

const examples = `
Examples:
  nerif prune --dry-run
  nerif prune --older-than 7d`;

interface Removal {
  kind: "run" | "file" | "batch" | "upload" | "leftover";
  id: string;
  remove(): Promise<void>;
}

async function prune(flags: Record<string, unknown>): Promise<void> {
  const { values } = resolveConfig(options, flags);
  const dataDir = resolveDataDir(values.dataDir);
  const before = Date.now() - values.olderThan;
  const opened = await openNerif({ dataDir, execute: false, command: "nerif prune" });
  try {
    let removed = 0;
    for await (const { kind, id, remove } of removals(opened, { dataDir, before })) {
      if (!values.dryRun) await remove();
      removed += 1;
      if (values.json) printJson({ event: values.dryRun ? "would_remove" : "removed", kind, id });
      else print(`${values.dryRun ? "would remove" : "removed"} ${kind} ${id}`);
    }
    if (values.json) return;
    const age = `older than ${formatDuration(values.olderThan)}`;
    say(
      `${counted(removed, "thing")} ${values.dryRun ? "would be removed" : "removed"} (runs and batches ${age}, expired files and uploads)`,
    );
  } finally {
    await opened.close();
  }
}

interface Scope {
  dataDir: string;
  /** Unix milliseconds. */
  before: number;
}

async function* removals(opened: Opened, scope: Scope): AsyncGenerator<Removal> {
  yield* oldBatches(opened, scope);
  yield* expiredFiles(opened);
  yield* endedUploads(opened);
  yield* finishedRuns(scope);
}

async function* oldBatches({ control, journal, fileStore }: Opened, scope: Scope): AsyncGenerator<Removal> {
  for (const batch of await allBatches(control)) {
    const { id, project } = batch;
    if (!hasEnded(batch, scope)) continue;
    yield {
      kind: "batch",
      id,
      async remove() {
        for (const file of [batch.output_file_id, batch.error_file_id]) {
          if (file !== null) await control.deleteFile(project, file);
        }
        await journal.remove(id);
        await fileStore.delete(`${id}.plan`);
        await fileStore.delete(`${id}.followers`);
        await control.deleteBatch(id);
      },
    };
  }
}

function hasEnded(batch: Batch, { before }: Scope): boolean {
  const endedAt = batch.completed_at ?? batch.failed_at ?? batch.expired_at ?? batch.cancelled_at;
  return isFinal(batch.status) && endedAt !== null && endedAt * 1_000 <= before;
}

/** Read to the end first: a batch that was removed could not be the cursor of the next page. */
async function allBatches(control: Opened["control"]): Promise<Batch[]> {
  const all: Batch[] = [];
  for (;;) {
    const page = await control.listBatches({ project: null, limit: 100, after: all.at(-1)?.id });
    all.push(...page);
    if (page.length < 100) return all;
  }
}

async function* expiredFiles({ control, fileStore }: Opened): AsyncGenerator<Removal> {
  const now = Math.floor(Date.now() / 1_000);
  const seen = new Set<string>();
  for (;;) {
    const files = (await control.removableFiles(now, 500 + seen.size)).filter(({ id }) => !seen.has(id));
    if (files.length === 0) return;
    for (const file of files) {
      seen.add(file.id);
      if (await control.isInputInUse(file.id)) continue;
      yield {
        kind: "file",
        id: file.id,
        async remove() {
          // An operator's own file, read or written in place, is not ours to remove.
          if (!isAbsolute(file.key)) await fileStore.delete(file.key);
          await control.markBytesRemoved(file.id);
        },
      };
    }
  }
}

/** Parts of uploads that expired, or that a crash left; a server removes them by itself every ten minutes. */
async function* endedUploads({ control, fileStore }: Opened): AsyncGenerator<Removal> {
  const now = Math.floor(Date.now() / 1_000);
  for (const id of await control.endedUploads(now, 100_000)) {
    yield {
      kind: "upload",
      id,
      async remove() {
        await control.expireUpload(id, now);
        for (const part of await control.uploadParts(id)) await fileStore.delete(part.id);
        await control.deleteParts(id);
      },
    };
  }
}

async function* finishedRuns(scope: Scope): AsyncGenerator<Removal> {
  const runs = runsDirectory(scope.dataDir);
  for (const name of await readdir(runs).catch(() => [])) {
    const path = join(runs, name);
    if (/^[0-9a-f]{64}$/.test(name)) {
      const record = await readRunRecord(path).catch(() => null);
      if (isOld(record, scope)) yield* finishedRun(path, scope);
    } else if (await isLeftover(path)) {
      yield { kind: "leftover", id: name, remove: () => rm(path, { force: true }) };
    }
  }
}

function isOld(record: RunRecord | null, { before }: Scope): record is RunRecord {
  return record?.finished ? record.finished.at <= before : false;
}

/** Unless it is in use, or has a retry that somebody may still want to see the results of. */
async function* finishedRun(store: string, scope: Scope): AsyncGenerator<Removal> {
  const opened = await openNerif({ dataDir: store, command: "nerif prune" }).catch((reason: unknown) => {
    say(`${basename(store)} is left as it is: ${(reason as Error).message}`);
    return null;
  });
  if (opened === null) return;
  try {
    // Nobody may start the run again while its store goes.
    if (!(await opened.lock.acquire())) return;
    const record = await readRunRecord(store);
    if (!isOld(record, scope)) return;
    const retries = (await allBatches(opened.control)).filter(({ id }) => id !== record.batch_id);
    if (!retries.every((batch) => hasEnded(batch, scope))) return;
    yield {
      kind: "run",
      id: record.output ?? record.input.path ?? basename(store),
      remove: () => removeStore(scope.dataDir, store, record.errors),
    };
  } finally {
    await opened.close();
    await opened.lock.release();
  }
}

/** Copies of stdin by processes that were killed, and claims of stores that are gone. */
async function isLeftover(path: string): Promise<boolean> {
  if (/\.errors(\.[0-9a-f-]{36})?$/.test(path)) {
    const store = await readFile(path, "utf8").catch(() => null);
    return store !== null && (await stat(join(store, "run.json")).catch(() => null)) === null;
  }
  const [, pid] = /spool-(\d+)-[0-9a-f]+\.part$/.exec(path) ?? [];
  return pid !== undefined && !isAlive(Number(pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
