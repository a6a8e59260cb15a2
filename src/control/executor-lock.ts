import { randomUUID } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errnoOf } from "../batch/errors.ts";
import type { ExecutorLock } from "./control-store.ts";
import { createPrivateFile } from "./private-file.ts";
import { fromSqlite, isBusy } from "./sqlite-errors.ts";

export interface ExecutorLockOptions {
  /** The data directory; it is created when it is missing. */
  directory: string;
  /** What this process is, for the messages of others: `nerif serve`. */
  command: string;
}

interface Holder {
  pid: number;
  command: string;
  since: string;
}

/**
 * The lock is an open transaction on `executor.lock`, a database that is always empty: the kernel frees it
 * however the process ends. On POSIX systems it would also fall when this process closed any descriptor of that
 * file, so nothing but SQLite, which knows that, ever opens it. Who has it stands in `executor.json` beside it.
 */
export function createExecutorLock({ directory, command }: ExecutorLockOptions): ExecutorLock {
  const lockPath = join(directory, "executor.lock");
  const notePath = join(directory, "executor.json");
  let connection: DatabaseSync | null = null;
  let ours: Holder | null = null;

  return {
    async acquire() {
      if (connection !== null) return true;
      createPrivateFile(lockPath);
      connection = lock(lockPath);
      if (connection === null) return false;
      ours = { pid: process.pid, command, since: new Date().toISOString() };
      writeNote(notePath, ours);
      return true;
    },
    async holder() {
      if (ours !== null) return { ...ours };
      const noted = readNote(notePath);
      return noted !== null && isAlive(noted.pid) ? noted : null;
    },
    async release() {
      if (connection === null) return;
      // Before the lock goes: afterwards it could be the note of the next holder.
      if (ours !== null && isSame(readNote(notePath), ours)) rmSync(notePath, { force: true });
      connection.close();
      connection = null;
      ours = null;
    },
  };
}

/** Null when another process or another lock of this one has it. @throws NerifError `storage_unavailable` */
function lock(path: string): DatabaseSync | null {
  let connection: DatabaseSync | null = null;
  try {
    connection = new DatabaseSync(path, { timeout: 0 });
    connection.exec("begin exclusive");
    return connection;
  } catch (error) {
    connection?.close();
    if (isBusy(error)) return null;
    throw fromSqlite(error, "lock the data directory");
  }
}

/** By rename, so that nobody reads half of it. It serves messages only: a full disk must not keep the lock away. */
function writeNote(path: string, holder: Holder): void {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(holder)}\n`, { mode: 0o600, flag: "wx" });
    renameSync(temporary, path);
  } catch {
    rmSync(temporary, { force: true });
    rmSync(path, { force: true });
  }
}

function readNote(path: string): Holder | null {
  try {
    const { pid, command, since }: Record<string, unknown> = JSON.parse(readFileSync(path, "utf8"));
    if (!Number.isSafeInteger(pid) || typeof command !== "string" || typeof since !== "string") return null;
    return { pid: pid as number, command, since };
  } catch {
    return null;
  }
}

function isSame(a: Holder | null, b: Holder): boolean {
  return a !== null && a.pid === b.pid && a.since === b.since;
}

/** A note of a process that was killed stays behind. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}
