import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCli } from "../support/cli-process.ts";

const database = "postgres://u:secret@127.0.0.1:1/nerif";

test.each([
  [["serve", "--database-url", database], {}, "Cannot use --database-url alone: .*--shared-dir"],
  [["serve", "--shared-dir", "shared"], {}, "Cannot use --shared-dir alone: .*--database-url"],
  [["worker", "--shared-dir", "shared"], {}, "Cannot work without --database-url"],
  [
    ["worker", "--database-url", "mysql://u:secret@h/n", "--shared-dir", "shared"],
    {},
    "must look like postgres://",
  ],
  [["keys", "list"], { NERIF_DATABASE_URL: database }, "Cannot use --database-url alone"],
])("nerif %s is refused with the reason, and without the password", async (command, env, reason) => {
  const cwd = await mkdtemp(join(tmpdir(), "nerif-options-"));
  onTestFinished(() => rm(cwd, { recursive: true }));
  const upstream = command[0] === "keys" ? [] : ["--upstream", "http://127.0.0.1:1/v1"];
  const { code, stderr, stdout } = await runCli([...command, ...upstream], { cwd, env });
  expect([code, stderr]).toEqual([2, expect.stringMatching(reason)]);
  expect(stdout + stderr).not.toContain("secret");
});
