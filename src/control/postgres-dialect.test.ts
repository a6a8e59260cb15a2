import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Kysely, sql } from "kysely";
import { expect, onTestFinished, test } from "vitest";
import { createPostgresDialect } from "./postgres-dialect.ts";
import { cannotConnect } from "./postgres-errors.ts";

test("a system error of five letters is a lost connection, and no answer of the server", async () => {
  const directory = await mkdtemp(join(tmpdir(), "nerif-loop-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const loop = join(directory, "loop");
  await symlink(loop, loop);
  const url = `postgres://nerif@/nerif?host=${encodeURIComponent(loop)}`;
  const dialect = createPostgresDialect({ url, connections: 1, connectMs: 1_000, statementMs: 1_000 });
  const database = new Kysely<object>({ dialect });
  onTestFinished(() => database.destroy());
  await expect(sql`select 1`.execute(database)).rejects.toMatchObject({
    code: cannotConnect,
    cause: { code: "ELOOP" },
  });
});
