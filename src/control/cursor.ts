import type { Kysely } from "kysely";
import { type Listed, noSuchCursor } from "../batch/cursor.ts";
import type { Schema } from "./schema.ts";

const tables = { file: "files", batch: "batches", webhook_endpoint: "webhook_endpoints" } as const;

/**
 * Where a page begins that goes on after a row. Deleted and expired ones count too: a client may have seen one before.
 *
 * @param project null: any
 * @throws NerifError `cursor_not_found`
 */
export async function findCursor(
  db: Kysely<Schema>,
  kind: Listed,
  { project, after }: { project: string | null; after: string },
): Promise<{ created_at: number; seq: number }> {
  let query = db.selectFrom(tables[kind]).select(["created_at", "seq"]).where("id", "=", after);
  if (project !== null) query = query.where("project", "=", project);
  const cursor = await query.executeTakeFirst();
  if (cursor === undefined) throw noSuchCursor(kind, after);
  return cursor;
}
