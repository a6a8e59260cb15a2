import type { ColumnDefinitionBuilder, Kysely, SelectQueryBuilder, Transaction } from "kysely";
import type { Schema } from "./schema.ts";

/** What the queries need of a database, and all in which SQLite and PostgreSQL differ. */
export interface SqlDatabase {
  /**
   * Runs one operation, from the start again while the database is locked or away.
   * @param action what is done, as in "Cannot <action>"
   * @throws NerifError `storage_unavailable`, `disk_full`, `data_damaged`, `internal_error`
   */
  run<T>(action: string, work: (db: Kysely<Schema>) => Promise<T>, options?: RunOptions<T>): Promise<T>;
  /** Makes a search for free rows pass over those that another writer is just taking. */
  skipLocked<O>(query: SelectQueryBuilder<Schema, "shards", O>): SelectQueryBuilder<Schema, "shards", O>;
  /** Makes whoever wants to change the rows that are read wait until the statement has ended. */
  keepAsRead<O>(query: SelectQueryBuilder<Schema, "batches", O>): SelectQueryBuilder<Schema, "batches", O>;
  /** The clock that leases run by, in milliseconds. */
  leaseClock(): number;
  /** A number that changes when any process has written. */
  changeCounter(): Promise<number>;
  /** Waits for what is running. */
  close(): Promise<void>;
}

export interface RunOptions<T> {
  /**
   * Asked before and after a repetition when an earlier try may have been committed although its answer was lost: what
   * that try would have answered, or null when nothing of it is there. Needed where doing it twice is wrong, or answers
   * something else the second time; a change that compares an epoch or a version needs none.
   */
  earlier?: (db: Kysely<Schema>) => Promise<T | null>;
}

/** What a migration needs of a database beside the schema builder. */
export interface MigrationDialect {
  /** What is opened, as in "Cannot open <place>". */
  place: "the data directory" | "the database";
  /** Keeps every other process out of the migrations until the transaction ends. */
  lock(transaction: Transaction<Schema>): Promise<void>;
  /** The column that numbers the rows of a table as they are inserted. */
  sequence: {
    type: "integer" | "bigserial";
    build(column: ColumnDefinitionBuilder): ColumnDefinitionBuilder;
  };
}

/** Several reads of one moment. */
export function snapshot<T>(
  db: Kysely<Schema>,
  work: (transaction: Transaction<Schema>) => Promise<T>,
): Promise<T> {
  return db.transaction().setAccessMode("read only").setIsolationLevel("repeatable read").execute(work);
}
