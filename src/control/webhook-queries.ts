import type { Kysely, Transaction } from "kysely";
import { newId } from "../batch/ids.ts";
import type { StoredWebhookEndpoint, WebhookEvent } from "../batch/webhook.ts";
import { findCursor } from "./cursor.ts";
import { ifRecorded } from "./earlier.ts";
import type { Schema, WebhookEndpointRow } from "./schema.ts";
import type { SqlDatabase } from "./sql-database.ts";
import type {
  DeliveryQuery,
  WebhookDelivery,
  WebhookEndpointPatch,
  WebhookEndpointQuery,
  WebhookRecords,
} from "./webhook-records.ts";

export function createWebhookQueries({ run }: SqlDatabase): WebhookRecords {
  return {
    insertWebhookEndpoint: (endpoint, most) =>
      run(
        "record the webhook endpoint",
        (db) =>
          db.transaction().execute(async (transaction) => {
            const { count } = await transaction
              .selectFrom("webhook_endpoints")
              .select(({ fn }) => fn.countAll().as("count"))
              .where("project", "=", endpoint.project)
              .executeTakeFirstOrThrow();
            if (Number(count) >= most) return false;
            const { event_types, ...plain } = endpoint;
            const row = { ...plain, event_types_json: JSON.stringify(event_types) };
            await transaction.insertInto("webhook_endpoints").values(row).execute();
            return true;
          }),
        { earlier: ifRecorded({ table: "webhook_endpoints", id: endpoint.id }, true) },
      ),

    getWebhookEndpoint: (project, id) =>
      run("look up the webhook endpoint", async (db) => {
        const row = await db
          .selectFrom("webhook_endpoints")
          .selectAll()
          .where("id", "=", id)
          .where("project", "=", project)
          .executeTakeFirst();
        return row === undefined ? null : endpointOf(row);
      }),

    listWebhookEndpoints: (query) => run("list the webhook endpoints", (db) => listEndpoints(db, query)),

    updateWebhookEndpoint: (id, version, patch) =>
      run("update the webhook endpoint", async (db) => {
        const row = await db
          .updateTable("webhook_endpoints")
          .set({ ...changedColumns(patch), version: version + 1 })
          .where("id", "=", id)
          .where("version", "=", version)
          .returningAll()
          .executeTakeFirst();
        return row === undefined ? null : endpointOf(row);
      }),

    deleteWebhookEndpoint: (project, id) =>
      run("delete the webhook endpoint", async (db) => {
        // Its deliveries go with it: the schema says so.
        const result = await db
          .deleteFrom("webhook_endpoints")
          .where("id", "=", id)
          .where("project", "=", project)
          .executeTakeFirst();
        return result.numDeletedRows > 0n;
      }),

    nextDeliveries: (query) => run("look for webhook deliveries", (db) => nextDeliveries(db, query)),

    postponeDelivery: (id, next) =>
      run("postpone a webhook delivery", async (db) => {
        await db.updateTable("webhook_deliveries").set(next).where("id", "=", id).execute();
      }),

    removeDelivery: (id) =>
      run("remove a webhook delivery", async (db) => {
        await db.deleteFrom("webhook_deliveries").where("id", "=", id).execute();
      }),

    removeOldDeliveries: (before) =>
      run("remove old webhook deliveries", async (db) => {
        const query = db.deleteFrom("webhook_deliveries").where("created_at", "<", before);
        return Number((await query.executeTakeFirst()).numDeletedRows);
      }),
  };
}

/** Puts an event into the outbox, once for each endpoint of the project that wants it. */
export async function insertDeliveries(
  transaction: Transaction<Schema>,
  { project, event }: { project: string; event: WebhookEvent },
): Promise<void> {
  const endpoints = await transaction
    .selectFrom("webhook_endpoints")
    .selectAll()
    .where("project", "=", project)
    .execute();
  const rows = endpoints
    .map(endpointOf)
    .filter(({ event_types }) => event_types.includes(event.type))
    .map((endpoint) => ({
      id: newId("webhook_delivery"),
      endpoint_id: endpoint.id,
      event_json: JSON.stringify(event),
      attempts: 0,
      due_at: event.created_at,
      created_at: event.created_at,
    }));
  if (rows.length > 0) await transaction.insertInto("webhook_deliveries").values(rows).execute();
}

async function listEndpoints(
  db: Kysely<Schema>,
  { project, limit, after }: WebhookEndpointQuery,
): Promise<StoredWebhookEndpoint[]> {
  let rows = db.selectFrom("webhook_endpoints").selectAll().where("project", "=", project);
  if (after !== undefined) {
    const cursor = await findCursor(db, "webhook_endpoint", { project, after });
    rows = rows.where((eb) =>
      eb(eb.refTuple("created_at", "seq"), "<", eb.tuple(cursor.created_at, cursor.seq)),
    );
  }
  const page = await rows.orderBy("created_at", "desc").orderBy("seq", "desc").limit(limit).execute();
  return page.map(endpointOf);
}

function changedColumns({ event_types, ...plain }: WebhookEndpointPatch) {
  return { ...plain, ...(event_types !== undefined && { event_types_json: JSON.stringify(event_types) }) };
}

async function nextDeliveries(
  db: Kysely<Schema>,
  { limit, exceptEndpoints, except }: DeliveryQuery,
): Promise<WebhookDelivery[]> {
  let query = db.selectFrom("webhook_deliveries").selectAll();
  if (exceptEndpoints.length > 0) query = query.where("endpoint_id", "not in", exceptEndpoints);
  if (except.length > 0) query = query.where("id", "not in", except);
  const rows = await query.orderBy("due_at").orderBy("endpoint_id").orderBy("id").limit(limit).execute();
  if (rows.length === 0) return [];
  const wanted = [...new Set(rows.map(({ endpoint_id }) => endpoint_id))];
  const found = await db.selectFrom("webhook_endpoints").selectAll().where("id", "in", wanted).execute();
  const endpoints = new Map(found.map((row) => [row.id, endpointOf(row)]));
  return rows.flatMap(({ id, endpoint_id, event_json, attempts, due_at }) => {
    const endpoint = endpoints.get(endpoint_id);
    // Deleted between the two queries, and the delivery with it.
    if (endpoint === undefined) return [];
    return [{ id, endpoint, event: JSON.parse(event_json) as WebhookEvent, attempts, due_at }];
  });
}

function endpointOf(row: WebhookEndpointRow): StoredWebhookEndpoint {
  const { seq: _, event_types_json, ...plain } = row;
  return { ...plain, event_types: JSON.parse(event_types_json) };
}
