import { type Kysely, type SelectQueryBuilder, sql } from "kysely";
import { rarestPair } from "./batch-pairs.ts";
import type { BatchQuery } from "./control-store.ts";
import { findCursor } from "./cursor.ts";
import { pairText } from "./metadata-text.ts";
import type { BatchRow, Schema } from "./schema.ts";

/**
 * One page of a list of batches, newest first. Each kind of list walks an index in the order of the page: those with
 * metadata the one of the pairs, and beside it the batches that are not noted there.
 *
 * @throws NerifError `cursor_not_found`
 */
export async function batchPage(db: Kysely<Schema>, query: BatchQuery): Promise<BatchRow[]> {
  const { project, after, metadata = {} } = query;
  const cursor = after === undefined ? null : await findCursor(db, "batch", { project, after });
  const batches = db.selectFrom("batches").selectAll("batches");
  const pair = await rarestPair(db, project, metadata);
  if (pair === null) return page(batches, { ...query, cursor, walked: "batches" }).execute();
  const noted = db
    .selectFrom("batch_pairs")
    .innerJoin("batches", "batches.seq", "batch_pairs.seq")
    .selectAll("batches")
    .where("pair", "=", pair);
  // Literal, not a parameter: only so does SQLite see that the index of such batches will do.
  const others = batches.where(sql<boolean>`is_noted = 0`);
  const found = [
    ...(await page(noted, { ...query, cursor, walked: "batch_pairs" }).execute()),
    ...(await page(others, { ...query, cursor, walked: "not noted" }).execute()),
  ];
  return found.sort((a, b) => b.created_at - a.created_at || b.seq - a.seq).slice(0, query.limit);
}

interface PageQuery extends BatchQuery {
  cursor: { created_at: number; seq: number } | null;
  /** Which index is walked: one of these tables, or that of the batches that are not noted. */
  walked: "batches" | "batch_pairs" | "not noted";
}

function page<TB extends "batches" | "batch_pairs", O>(
  rows: SelectQueryBuilder<Schema, TB, O>,
  { project, limit, status, created_after, created_before, metadata = {}, cursor, walked }: PageQuery,
): SelectQueryBuilder<Schema, TB, O> {
  const table = walked === "batch_pairs" ? "batch_pairs" : "batches";
  const [age, seq] = [sql.ref(`${table}.created_at`), sql.ref(`${table}.seq`)];
  // SQLite would take another index, in which there are all, for the sake of an equality.
  const unindexed = walked === "not noted" ? sql` || ''` : sql``;
  const only: ReturnType<typeof sql<boolean>>[] = [];
  if (project !== null) only.push(sql`${sql.ref(`${table}.project`)}${unindexed} = ${project}`);
  if (status !== undefined) only.push(sql`batches.status${unindexed} = ${status}`);
  if (created_after !== undefined) only.push(sql`${age} > ${created_after}`);
  if (created_before !== undefined) only.push(sql`${age} < ${created_before}`);
  if (cursor !== null) only.push(sql`(${age}, ${seq}) < (${cursor.created_at}, ${cursor.seq})`);
  for (const pair of Object.entries(metadata)) {
    // Not with `like`, which takes one letter for another and has signs of its own.
    only.push(sql`replace(metadata_json, ${pairText(...pair)}, '') <> metadata_json`);
  }
  const found = only.reduce((so, condition) => so.where(condition), rows);
  return found.orderBy(age, "desc").orderBy(seq, "desc").limit(limit);
}
