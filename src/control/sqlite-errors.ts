import { NerifError } from "../batch/errors.ts";

/** Primary result codes of SQLite, and the extended ones that need another answer than their primary. */
const codes = {
  busy: 5,
  locked: 6,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  readonly: 8,
  notadb: 26,
  /** The file that processes share as memory could not grow: the disk is full. */
  ioerrShmsize: 10 | (19 << 8),
} as const;

/** Whether another process holds the lock, so that the same may succeed a moment later. */
export function isBusy(reason: unknown): boolean {
  const code = sqliteCode(reason);
  return code !== null && ((code & 0xff) === codes.busy || (code & 0xff) === codes.locked);
}

/**
 * Whether the disk refused a read, write or sync. Nothing is known then about the last transaction, and a second
 * sync could succeed without having written: the process must stop and recover from the log at the next start.
 */
export function isIoFailure(reason: unknown): boolean {
  const code = sqliteCode(reason);
  return code !== null && code !== codes.ioerrShmsize && (code & 0xff) === codes.ioerr;
}

/** Turns what SQLite threw while Nerif wanted to `action` into an error of Nerif's. */
export function fromSqlite(reason: unknown, action: string): NerifError {
  const code = sqliteCode(reason);
  if (code === null) return NerifError.fromUnknown(reason, action);
  if (code === codes.ioerrShmsize) return diskFull(action, reason);
  switch (code & 0xff) {
    case codes.full:
      return diskFull(action, reason);
    case codes.corrupt:
    case codes.notadb:
      return new NerifError("data_damaged", `Cannot ${action}: the database is damaged`, { cause: reason });
    case codes.busy:
    case codes.locked:
      return unavailable(action, "the database stays locked by another process", reason);
    case codes.ioerr:
      return unavailable(action, "the disk failed to read or write the database", reason);
    case codes.cantopen:
      return unavailable(action, "the database file cannot be opened", reason);
    case codes.readonly:
      return unavailable(action, "the database file is read-only", reason);
    default:
      return NerifError.fromUnknown(reason, action);
  }
}

function diskFull(action: string, cause: unknown): NerifError {
  return new NerifError("disk_full", `Cannot ${action}: the disk is full`, { cause });
}

function unavailable(action: string, why: string, cause: unknown): NerifError {
  return new NerifError("storage_unavailable", `Cannot ${action}: ${why}`, { cause });
}

function sqliteCode(reason: unknown): number | null {
  if (!(reason instanceof Error) || !("errcode" in reason)) return null;
  return typeof reason.errcode === "number" ? reason.errcode : null;
}
