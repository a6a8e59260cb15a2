import type { Kysely } from "kysely";
import { NerifError } from "../../batch/errors.ts";
import type { Schema } from "../schema.ts";
import type { MigrationDialect } from "../sql-database.ts";
import { initial } from "./0001-initial.ts";
import { api } from "./0002-api.ts";
import { manyExecutors } from "./0003-many-executors.ts";
import { longHistory } from "./0004-long-history.ts";

type Migration = (db: Kysely<Schema>, dialect: MigrationDialect) => Promise<void>;

/**
 * Schema `n` is what the first `n` of these make. Add to the end; never change one that was released.
 *
 * An older Nerif that is running goes on beside a newer schema. So a migration only adds: tables, indexes that are not
 * unique, and columns with a default, which says that an older Nerif has written the row (decision 030).
 */
export const migrations: readonly Migration[] = [initial, api, manyExecutors, longHistory];

/**
 * Brings a database to the newest schema. Several processes may do so at once.
 * @throws NerifError `data_too_new`
 */
export async function migrate(db: Kysely<Schema>, dialect: MigrationDialect): Promise<void> {
  while (!(await migrateOnce(db, dialect)));
}

/** One migration in one transaction, so that a crash leaves a schema that has a number. True when none was left. */
function migrateOnce(db: Kysely<Schema>, dialect: MigrationDialect): Promise<boolean> {
  // What another process has done while this one waited for the lock is to be seen.
  const alone = db.transaction().setIsolationLevel("read committed");
  return alone.execute(async (transaction) => {
    await dialect.lock(transaction);
    await transaction.schema
      .createTable("nerif_schema")
      .ifNotExists()
      .addColumn("version", "integer", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull())
      .execute();
    const row = await transaction
      .selectFrom("nerif_schema")
      .select((eb) => eb.fn.max("version").as("version"))
      .executeTakeFirst();
    const version = row?.version ?? 0;
    if (version > migrations.length) throw tooNew(version, dialect);
    const next = migrations[version];
    if (next === undefined) return true;
    await next(transaction, dialect);
    await transaction
      .insertInto("nerif_schema")
      .values({ version: version + 1, name: next.name })
      .execute();
    return false;
  });
}

function tooNew(version: number, { place }: MigrationDialect): NerifError {
  return new NerifError(
    "data_too_new",
    `Cannot open ${place}: it has schema version ${version}, newer than this Nerif's ${migrations.length}`,
  );
}
