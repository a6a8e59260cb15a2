import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCli } from "../../test/support/cli-process.ts";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../../test/support/cli-workspace.ts";
import { aFile } from "../../test/support/control-rows.ts";
import { newFileId } from "../batch/ids.ts";
import { openNerif } from "../compose.ts";

test("nerif prune removes the bytes of an expired file whose id its creator chose, and no file of the operator", async () => {
  const cwd = await mkdtemp(join(tmpdir(), "nerif-prune-"));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
  const dataDir = join(cwd, "data");
  const place = join(cwd, "in.jsonl");
  writeFileSync(place, "x");
  const chosen = aFile({ expires_at: 1, key: newFileId() });
  const inPlace = aFile({ expires_at: 1, key: place });
  const opened = await openNerif({ dataDir, execute: false });
  const writer = await opened.fileStore.create(chosen.key);
  await writer.write([Buffer.from("x")]);
  await writer.commit();
  for (const file of [chosen, inPlace]) await opened.control.insertFile(file);
  await opened.close();
  const { stdout } = await runCli(["prune", "--data-dir", dataDir], { cwd });
  expect(stdout.split("\n").sort()).toEqual(
    ["", `removed file ${chosen.id}`, `removed file ${inPlace.id}`].sort(),
  );
  expect(readdirSync(join(dataDir, "files"))).toEqual([]);
  expect(existsSync(place)).toBe(true);
});

test("nerif prune keeps the store of an old run as long as a retry in it is not over or has just ended", async () => {
  await using work = await createCliWorkspace({ models: ["m"] });
  const { store, batch } = await oldRun(work);
  const retry = await work.run(["batches", "retry", batch, "--data-dir", store, "--json"]);
  expect((await work.run(["prune", "--dry-run"])).stdout).toBe("");
  expect((await work.run(["prune"])).stdout).toBe("");
  const { id } = JSON.parse(retry.stdout);
  expect((await work.run(["batches", "wait", id, "--data-dir", store])).code).toBe(3);
  expect((await work.run(["prune"])).stdout).toBe("");
  const removed = await work.run(["prune", "--older-than", "0s"]);
  expect(removed.stdout).toBe(`removed run ${work.path("in.output.jsonl")}\n`);
  expect(existsSync(store)).toBe(false);
});

test("nerif prune does not say of a store in use that it was removed", async () => {
  await using work = await createCliWorkspace({ models: ["m"] });
  const { store } = await oldRun(work);
  const opened = await openNerif({ dataDir: store });
  await opened.lock.acquire();
  const pruned = await work.run(["prune"]);
  expect(pruned).toMatchObject({ code: 0, stdout: "" });
  expect(pruned.stderr).toMatch(/0 things removed/);
  await opened.close();
  await opened.lock.release();
  expect((await work.run(["prune"])).stdout).toBe(`removed run ${work.path("in.output.jsonl")}\n`);
});

/** A run with a failed line that ended forty days ago. */
async function oldRun(work: CliWorkspace): Promise<{ store: string; batch: string }> {
  const missing = (request: { body: object }) => ({
    ...request,
    body: { ...request.body, model: "missing" },
  });
  work.write(
    "in.jsonl",
    requestFile(2, (request, index) => (index === 1 ? missing(request) : request)),
  );
  expect((await work.run(["run", "in.jsonl"])).code).toBe(3);
  const [name = ""] = readdirSync(work.path("data/runs")).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
  const store = work.path(join("data/runs", name));
  const record = JSON.parse(readFileSync(join(store, "run.json"), "utf8"));
  record.finished.at -= 40 * 86_400_000;
  writeFileSync(join(store, "run.json"), JSON.stringify(record));
  return { store, batch: record.batch_id };
}
