import { type Kysely, sql } from "kysely";
import type { ShardLease, ShardTally } from "./control-store.ts";
import type { Schema } from "./schema.ts";

export interface Renewal {
  lease: ShardLease;
  /** On the lease clock, in milliseconds. */
  until: number;
  tally: ShardTally;
}

/** SQLite and PostgreSQL limit the parameters of a statement. */
const rowsPerStatement = 100;

/**
 * Prolongs leases and writes counts, many in one statement: an executor of a thousand waiting batches has as many.
 * @returns of each whether its epoch still had it
 */
export async function renewLeases(db: Kysely<Schema>, renewals: Renewal[]): Promise<boolean[]> {
  const held: boolean[] = [];
  for (let from = 0; from < renewals.length; from += rowsPerStatement) {
    held.push(...(await renewSome(db, renewals.slice(from, from + rowsPerStatement))));
  }
  return held;
}

async function renewSome(db: Kysely<Schema>, renewals: Renewal[]): Promise<boolean[]> {
  const { rows } = await sql<{ batch_id: string; shard: number; epoch: number }>`
    with renewed (batch_id, shard, epoch, leased_until, completed, failed, input, cached, output, reasoning, total) as
      (values ${sql.join(renewals.map(row))})
    update shards set leased_until = renewed.leased_until, completed = renewed.completed, failed = renewed.failed,
      input_tokens = renewed.input, cached_tokens = renewed.cached, output_tokens = renewed.output,
      reasoning_tokens = renewed.reasoning, total_tokens = renewed.total
    from renewed
    where shards.batch_id = renewed.batch_id and shards.shard = renewed.shard and shards.epoch = renewed.epoch
      and shards.state = 'leased'
    returning shards.batch_id, shards.shard, shards.epoch
  `.execute(db);
  // With the epoch: one that is late may stand beside one of a later holder in this very process.
  const held = new Set(rows.map(({ batch_id, shard, epoch }) => nameOf(batch_id, { shard, epoch })));
  return renewals.map(({ lease }) => held.has(nameOf(lease.batchId, lease)));
}

function nameOf(batchId: string, { shard, epoch }: Pick<ShardLease, "shard" | "epoch">): string {
  return `${batchId}/${shard}/${epoch}`;
}

function row({ lease, until, tally: { completed, failed, tokens } }: Renewal) {
  const { input, cached, output, reasoning, total } = tokens;
  const numbers = [lease.epoch, until, completed, failed, input, cached, output, reasoning, total];
  // PostgreSQL takes what is nowhere compared with a column for text.
  return sql`(${lease.batchId}, ${bigint(lease.shard)}, ${sql.join(numbers.map(bigint))})`;
}

function bigint(number: number) {
  return sql`cast(${number} as bigint)`;
}
