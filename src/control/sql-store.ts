import { createApiKeyQueries } from "./api-key-queries.ts";
import { createBatchCountQueries } from "./batch-count-queries.ts";
import { createBatchQueries } from "./batch-queries.ts";
import type { ControlStore } from "./control-store.ts";
import { createFileQueries } from "./file-queries.ts";
import { createHeldQueries } from "./held-queries.ts";
import { createIdempotencyQueries } from "./idempotency-queries.ts";
import { createLeaseQueries } from "./lease-queries.ts";
import { createNotingQueries } from "./noting-queries.ts";
import { createShardQueries } from "./shard-queries.ts";
import type { SqlDatabase } from "./sql-database.ts";
import { createStorageQueries } from "./storage-queries.ts";
import { createUploadQueries } from "./upload-queries.ts";
import { createWebhookQueries } from "./webhook-queries.ts";

/** The control store on any database that speaks the SQL of `sql-database.ts`, its schema being the newest. */
export function createSqlStore(database: SqlDatabase): ControlStore {
  return {
    ...createFileQueries(database),
    ...createBatchQueries(database),
    ...createBatchCountQueries(database),
    ...createShardQueries(database),
    ...createHeldQueries(database),
    ...createNotingQueries(database),
    ...createWebhookQueries(database),
    ...createIdempotencyQueries(database),
    ...createUploadQueries(database),
    ...createApiKeyQueries(database),
    ...createLeaseQueries(database),
    ...createStorageQueries(database),
    changeCounter: () => database.changeCounter(),
    close: () => database.close(),
  };
}
