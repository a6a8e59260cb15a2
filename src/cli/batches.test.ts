import { expect, test } from "vitest";
import { createCliWorkspace, requestFile } from "../../test/support/cli-workspace.ts";

test("the command that executes a new batch is told with the data directory that was given", async () => {
  await using work = await createCliWorkspace();
  work.write("in.jsonl", requestFile(1));
  const created = await work.run(["batches", "create", "in.jsonl", "--data-dir", "my data"]);
  const [, id, directory = ""] =
    /so does: nerif batches wait (\S+) --data-dir (".*")\n$/.exec(created.stderr) ?? [];
  expect(JSON.parse(directory)).toBe(work.path("my data"));
  const waited = await work.run(["batches", "wait", String(id), "--data-dir", "my data"]);
  expect(waited.code).toBe(0);
});
