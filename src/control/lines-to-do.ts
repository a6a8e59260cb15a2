import type { ExpressionBuilder, ExpressionWrapper, Kysely, SqlBool } from "kysely";
import type { Schema } from "./schema.ts";

type OfBatches = (eb: ExpressionBuilder<Schema, "batches">) => ExpressionWrapper<Schema, "batches", SqlBool>;

/** Lines of some batches that are not done. Before validation has counted them it is those that were counted at the upload. */
export async function linesToDo(db: Kysely<Schema>, which: OfBatches): Promise<number> {
  const lines = await db
    .selectFrom("batches")
    .where(which)
    .leftJoin("files", "files.id", "batches.input_file_id")
    .select(({ fn, eb }) =>
      fn
        .sum(
          eb
            .case()
            .when("batches.status", "=", "validating")
            .then(fn.coalesce("files.lines", eb.lit(0)))
            .else(eb.ref("batches.total"))
            .end(),
        )
        .as("sum"),
    )
    .executeTakeFirst();
  const done = await db
    .selectFrom("batches")
    .where(which)
    .innerJoin("shards", "shards.batch_id", "batches.id")
    .select(({ fn }) => [fn.sum("shards.completed").as("completed"), fn.sum("shards.failed").as("failed")])
    .executeTakeFirst();
  return Number(lines?.sum ?? 0) - Number(done?.completed ?? 0) - Number(done?.failed ?? 0);
}
