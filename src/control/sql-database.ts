import type { ColumnDefinitionBuilder, Kysely, SelectQueryBuilder, Transaction } from "kysely";
import type { Schema } from "./schema.ts";

/** What the queries need of a database, and all in which SQLite and PostgreSQL differ. */
export interface SqlDatabase {
  /**
   * Runs one operation, from the start again while the database is locked.
   * @param action what is done, as in "Cannot <action>"
   * @throws NerifError `storage_unavailable`, `disk_full`, `data_damaged`, `internal_error`
   */
  run<T>(action: string, work: (db: Kysely<Schema>) => Promise<T>): Promise<T>;
  /** Makes a search for free rows pass over those that another writer is just taking. */
  skipLocked<O>(query: SelectQueryBuilder<Schema, "shards", O>): SelectQueryBuilder<Schema, "shards", O>;
  /** The clock that leases run by, in milliseconds. */
  leaseClock(): number;
  /** A number that grows when any process has written. */
  changeCounter(): Promise<number>;
  /** Waits for what is running. */
  close(): Promise<void>;
}

/** What a migration needs of a database beside the schema builder. */
export interface MigrationDialect {
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
