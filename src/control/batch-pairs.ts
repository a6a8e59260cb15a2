import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
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
  const ofProject = project === null ? sql`` : sql` and project = ${project}`;
  const counts = hashes.map((pair) => {
    const some = sql`select seq from batch_pairs where pair = ${pair}${ofProject} limit ${manyBatches}`;
    return sql`select cast(${pair} as text) as pair, (select count(*) from (${some}) as found) as batches`;
  });
  const rarest = sql<{ pair: string }>`${sql.join(counts, sql` union all `)} order by batches limit 1`;
  return (await rarest.execute(db)).rows[0]?.pair ?? null;
}

/** Short, as keys of indexes must be. Two pairs may have one, so the text itself decides (`metadata-text.ts`). */
function pairHash(key: string, value: string): string {
  return createHash("sha256").update(pairText(key, value)).digest("base64url").slice(0, 22);
}
