import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import { pairText } from "./metadata-text.ts";
import type { BatchRow, Schema } from "./schema.ts";

type Noted = Pick<BatchRow, "seq" | "project" | "created_at" | "metadata_json">;

/** Beyond so many batches it does not matter which of several pairs is the rarer one. */
const manyBatches = 1_000;
const rowsPerInsert = 100;

/** Writes down under which pairs batches are found. Doing it again changes nothing. */
export async function insertPairs(db: Kysely<Schema>, batches: readonly Noted[]): Promise<void> {
  const rows = batches.flatMap(({ seq, project, created_at, metadata_json }) => {
    const metadata: Record<string, string> = JSON.parse(metadata_json ?? "{}");
    return Object.entries(metadata).map((pair) => ({ seq, pair: pairHash(...pair), project, created_at }));
  });
  for (let from = 0; from < rows.length; from += rowsPerInsert) {
    await db
      .insertInto("batch_pairs")
      .values(rows.slice(from, from + rowsPerInsert))
      .onConflict((conflict) => conflict.columns(["seq", "pair"]).doNothing())
      .execute();
  }
}

/** Of several pairs the one that the fewest batches have: all that have it are looked at. */
export async function rarestPair(
  db: Kysely<Schema>,
  project: string | null,
  metadata: Readonly<Record<string, string>>,
): Promise<string | null> {
  const hashes = Object.entries(metadata).map((pair) => pairHash(...pair));
  const [first = null] = hashes;
  if (hashes.length < 2) return first;
  let rarest = { pair: first, batches: Number.POSITIVE_INFINITY };
  for (const pair of hashes) {
    const batches = await countBatches(db, { pair, project });
    if (batches < rarest.batches) rarest = { pair, batches };
  }
  return rarest.pair;
}

async function countBatches(
  db: Kysely<Schema>,
  { pair, project }: { pair: string; project: string | null },
): Promise<number> {
  let some = db.selectFrom("batch_pairs").select("seq").where("pair", "=", pair);
  if (project !== null) some = some.where("project", "=", project);
  const row = await db
    .selectFrom(some.limit(manyBatches).as("some"))
    .select(({ fn }) => fn.countAll().as("count"))
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}

/** Short, as keys of indexes must be. Two pairs may have one, so the text itself decides (`metadata-text.ts`). */
function pairHash(key: string, value: string): string {
  return createHash("sha256").update(pairText(key, value)).digest("base64url").slice(0, 22);
}
