import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runCli } from "../../test/support/cli-process.ts";
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
