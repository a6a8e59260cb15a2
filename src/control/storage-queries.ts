import type { SqlDatabase } from "./sql-database.ts";
import type { StorageRecords } from "./storage-records.ts";

/** There is one row. */
const only = 1;

export function createStorageQueries({ run }: SqlDatabase): StorageRecords {
  return {
    getStorage: () =>
      run("look for the storage", async (db) => {
        const row = await db.selectFrom("storage").selectAll().where("only", "=", only).executeTakeFirst();
        return row === undefined ? null : { id: row.id, isPlaced: row.is_placed === 1 };
      }),

    chooseStorage: (id) =>
      run("choose the storage", async (db) => {
        await db
          .insertInto("storage")
          .values({ only, id, is_placed: 0 })
          .onConflict((conflict) => conflict.column("only").doNothing())
          .execute();
      }),

    markStorage: (id) =>
      run("note the storage", async (db) => {
        await db.updateTable("storage").set({ is_placed: 1 }).where("id", "=", id).execute();
      }),
  };
}
