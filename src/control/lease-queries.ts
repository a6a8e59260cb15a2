import { sql } from "kysely";
import type { LeaseRecords } from "./lease-records.ts";
import type { SqlDatabase } from "./sql-database.ts";

export function createLeaseQueries(database: SqlDatabase): LeaseRecords {
  const { run } = database;
  return {
    takeLease: ({ name, holder, leaseMs }) =>
      run("take a lease", async (db) => {
        const now = Math.floor(database.leaseClock());
        const row = await db
          .insertInto("leases")
          .values({ name, holder, leased_until: now + Math.round(leaseMs) })
          .onConflict((conflict) =>
            conflict
              .column("name")
              .doUpdateSet((eb) => ({
                holder: eb.ref("excluded.holder"),
                leased_until: eb.ref("excluded.leased_until"),
              }))
              .where((eb) => eb.or([eb("leases.leased_until", "<=", now), eb("leases.holder", "=", holder)])),
          )
          .returning("name")
          .executeTakeFirst();
        return row !== undefined;
      }),

    countHolders: (group) =>
      run("count the holders of leases", async (db) => {
        const row = await db
          .selectFrom("leases")
          .select(({ fn }) => fn.countAll().as("count"))
          .where("name", "=", sql<string>`${group} || holder`)
          .where("leased_until", ">", Math.floor(database.leaseClock()))
          .executeTakeFirst();
        return Number(row?.count ?? 0);
      }),

    removeLapsedLeases: (ms) =>
      run("remove lapsed leases", async (db) => {
        const before = Math.floor(database.leaseClock() - ms);
        await db.deleteFrom("leases").where("leased_until", "<", before).execute();
      }),

    dropLease: ({ name, holder }) =>
      run("give a lease back", async (db) => {
        await db.deleteFrom("leases").where("name", "=", name).where("holder", "=", holder).execute();
      }),
  };
}
