import type { StoredApiKey } from "../batch/api-key.ts";
import type { ApiKeyRecords } from "./api-key-records.ts";
import { usageOf } from "./api-key-usage.ts";
import { ifRecorded } from "./earlier.ts";
import type { ApiKeyRow } from "./schema.ts";
import { type SqlDatabase, snapshot } from "./sql-database.ts";

export function createApiKeyQueries({ run }: SqlDatabase): ApiKeyRecords {
  function find(column: "id" | "hash", value: string): Promise<StoredApiKey | null> {
    return run("look up the key", async (db) => {
      const row = await db.selectFrom("api_keys").selectAll().where(column, "=", value).executeTakeFirst();
      return row === undefined ? null : apiKeyOf(row);
    });
  }

  return {
    insertApiKey: ({ quotas, ...key }) =>
      run(
        "record the key",
        async (db) => {
          await db
            .insertInto("api_keys")
            .values({ ...key, quotas_json: JSON.stringify(quotas) })
            .execute();
        },
        { earlier: ifRecorded({ table: "api_keys", id: key.id }, undefined) },
      ),

    getApiKey: (id) => find("id", id),

    findApiKey: (hash) => find("hash", hash),

    hasApiKeys: () =>
      run("look for keys", async (db) => {
        return (await db.selectFrom("api_keys").select("seq").limit(1).executeTakeFirst()) !== undefined;
      }),

    listApiKeys: () =>
      run("list the keys", async (db) => {
        const rows = await db.selectFrom("api_keys").selectAll().orderBy("seq").execute();
        return rows.map(apiKeyOf);
      }),

    revokeApiKey: (id, now) =>
      run("revoke the key", (db) =>
        db.transaction().execute(async (transaction) => {
          await transaction
            .updateTable("api_keys")
            .set({ revoked_at: now })
            .where("id", "=", id)
            .where("revoked_at", "is", null)
            .execute();
          const row = await transaction
            .selectFrom("api_keys")
            .selectAll()
            .where("id", "=", id)
            .executeTakeFirst();
          return row === undefined ? null : apiKeyOf(row);
        }),
      ),

    apiKeyUsage: (id) =>
      run("count what a key uses", (db) => snapshot(db, (transaction) => usageOf(transaction, id))),
  };
}

function apiKeyOf({ seq: _, quotas_json, ...key }: ApiKeyRow): StoredApiKey {
  return { ...key, quotas: JSON.parse(quotas_json) };
}
