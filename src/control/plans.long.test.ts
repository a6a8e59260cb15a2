import { Kysely } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { fillForPlans, hotPlans } from "../../test/support/plans.ts";
import { startPostgres, withoutPostgres } from "../../test/support/postgres.ts";
import { openPostgresControlStore } from "./postgres.ts";
import { createPostgresDialect } from "./postgres-dialect.ts";
import type { Schema } from "./schema.ts";

test.skipIf(withoutPostgres !== null)(
  `PostgreSQL finds what is asked for by an index, however long the history is ${withoutPostgres ?? ""}`,
  async () => {
    const server = await startPostgres();
    onTestFinished(() => server.remove());
    const url = await server.createDatabase();
    await (await openPostgresControlStore({ url })).close();
    const connect: Parameters<typeof hotPlans>[0] = (log) => {
      const dialect = createPostgresDialect({ url, connections: 1, connectMs: 5_000, statementMs: 60_000 });
      return new Kysely<Schema>(log === undefined ? { dialect } : { dialect, log });
    };
    const filling = connect();
    await fillForPlans(filling);
    await filling.destroy();
    // A database in use does so by itself.
    await server.query(url, "vacuum analyze");

    const plans = await hotPlans(connect, (sql) => `explain ${sql}`);
    expect(plans.length).toBeGreaterThan(30);
    const slow = plans.filter(({ steps }) =>
      steps.some((step) => /Seq Scan on (?!idempotency|upload|webhook)/.test(step)),
    );
    expect(slow).toEqual([]);
  },
);
