import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { NerifError } from "../batch/errors.ts";
import { createPrivateFile } from "./private-file.ts";
import { fromSqlite } from "./sqlite-errors.ts";

/** A file of the file store that a copied database shows to clients. */
export interface NamedFile {
  key: string;
  bytes: number;
}

export interface CopyOptions {
  /** The database. It is not migrated, so that the copy is what an older version left. */
  path: string;
  /** The copy; must not exist. It is not synced. */
  to: string;
  /**
   * Runs at the very moment of the copy: nobody can write until it resolves. Bytes are removed only after the row
   * that says so, so all that the copy will name is there meanwhile. Keep it short: others wait 10 seconds at most.
   */
  atThatMoment: () => Promise<void>;
  /** How long to wait for those who write just now, in milliseconds. Default 10,000. */
  lockWaitMs?: number;
}

/**
 * Copies a database that others use, as it is at one moment.
 *
 * @returns the files whose bytes belong to it, expired ones left out
 * @throws NerifError `file_not_found`, `storage_unavailable`, `disk_full`, `data_damaged`
 */
export async function copySqliteDatabase(options: CopyOptions): Promise<NamedFile[]> {
  const { path, to, atThatMoment, lockWaitMs = 10_000 } = options;
  if (!existsSync(path)) throw new NerifError("file_not_found", `Cannot copy ${path}: it is not there`);
  const connections: DatabaseSync[] = [];
  try {
    const [writer, reader] = [0, 1].map(() => {
      const connection = new DatabaseSync(path, { timeout: lockWaitMs });
      connections.push(connection);
      return connection;
    }) as [DatabaseSync, DatabaseSync];
    writer.exec("begin immediate");
    reader.exec("begin");
    // A transaction sees the moment of its first read.
    reader.prepare("select count(*) from sqlite_master").get();
    await atThatMoment();
    writer.exec("rollback");
    createPrivateFile(to);
    // The copy is made within the transaction of its source, whatever others have written since.
    await backup(reader, to);
    return namedFiles(reader);
  } catch (reason) {
    throw fromSqlite(reason, `copy ${path}`);
  } finally {
    for (const connection of connections) if (connection.isOpen) connection.close();
  }
}

function namedFiles(database: DatabaseSync): NamedFile[] {
  const query = `select key, bytes from files
    where is_deleted = 0 and is_removed = 0 and (expires_at is null or expires_at > ?)`;
  const rows = database.prepare(query).all(Math.floor(Date.now() / 1_000));
  const files = rows.map(({ key, bytes }) => ({ key: String(key), bytes: Number(bytes) }));
  // An operator's own file, read or written in place, is no part of the copy.
  return files.filter(({ key }) => !isAbsolute(key));
}
