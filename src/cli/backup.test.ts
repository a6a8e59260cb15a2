import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { runCli } from "../../test/support/cli-process.ts";
import { aFile } from "../../test/support/control-rows.ts";
import { requestLine } from "../../test/support/http-instance.ts";
import { newFileId } from "../batch/ids.ts";
import { openNerif } from "../compose.ts";

let cwd: string;

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), "nerif-backup-"));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
});

const nerif = (...args: string[]) => runCli(args, { cwd });

async function storeFile(): Promise<string> {
  writeFileSync(join(cwd, "in.jsonl"), `${requestLine("a")}\n`);
  const { stdout, stderr } = await nerif("files", "upload", "in.jsonl", "--json");
  expect(stderr).not.toContain("Cannot");
  return (JSON.parse(stdout) as { id: string }).id;
}

test("nerif backup copies what a data directory holds, and neither locks nor runs", async () => {
  const id = await storeFile();
  mkdirSync(join(cwd, "data/runs/x"), { recursive: true });
  const { code, stdout } = await nerif("backup", "copies/one", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    event: "backed_up",
    directory: join(cwd, "copies/one"),
    files: 1,
  });
  expect(readdirSync(join(cwd, "copies")).sort()).toEqual(["one"]);
  expect(readdirSync(join(cwd, "copies/one")).sort()).toEqual(["files", "journal", "nerif.db"]);
  expect(readdirSync(join(cwd, "copies/one/files"))).toEqual([id]);
  expect(statSync(join(cwd, "copies/one")).mode & 0o777).toBe(0o700);
  expect(statSync(join(cwd, "copies/one/nerif.db")).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(cwd, "data/backup"))).toEqual([]);
  const list = await nerif("files", "list", "--json", "--data-dir", "copies/one");
  expect(list.stdout).toContain(id);
});

test("nerif backup refuses a directory that is there already, and leaves it as it was", async () => {
  await storeFile();
  mkdirSync(join(cwd, "there"));
  const { code, stderr } = await nerif("backup", "there");
  expect(code).toBe(2);
  expect(stderr).toContain("it is there already");
  expect(readdirSync(join(cwd, "there"))).toEqual([]);
});

test("nerif backup says why it cannot write to a place", async () => {
  const place = join(cwd, "data/files", await storeFile(), "copy");
  const { code, stderr } = await nerif("backup", place);
  expect(code).toBe(2);
  expect(stderr).toContain(`Cannot back up to ${place}: a part of its path is not a directory`);
});

test("nerif backup makes nothing when a file's content is missing", async () => {
  const id = await storeFile();
  await rm(join(cwd, "data/files", id));
  const { code, stderr } = await nerif("backup", "copy");
  expect(code).not.toBe(0);
  expect(stderr).toContain(`Cannot back up file ${id}: its content is missing`);
  expect(readdirSync(cwd).filter((name) => name.startsWith("copy"))).toEqual([]);
});

test("nerif backup counts a file whose id its creator chose, and makes nothing when its content is missing", async () => {
  const dataDir = join(cwd, "data");
  const file = aFile({ key: newFileId(), bytes: 1 });
  const opened = await openNerif({ dataDir, execute: false });
  const writer = await opened.fileStore.create(file.key);
  await writer.write([Buffer.from("x")]);
  await writer.commit();
  // An operator's own file is no part of the copy.
  for (const row of [file, aFile({ key: join(cwd, "in.jsonl") })]) await opened.control.insertFile(row);
  await opened.close();
  const { stdout } = await nerif("backup", "one", "--json");
  expect(JSON.parse(stdout)).toMatchObject({ files: 1 });
  await rm(join(dataDir, "files", file.key));
  const { code, stderr } = await nerif("backup", "two");
  expect(code).not.toBe(0);
  expect(stderr).toContain(`Cannot back up file ${file.key}: its content is missing`);
  expect(existsSync(join(cwd, "two"))).toBe(false);
});

test("nerif backup makes nothing where there is no data", async () => {
  const { code } = await nerif("backup", "copy");
  expect(code).not.toBe(0);
  expect(existsSync(join(cwd, "copy"))).toBe(false);
  expect(existsSync(join(cwd, "data/nerif.db"))).toBe(false);
});

test("nerif backup clears up what a killed one left", async () => {
  await storeFile();
  // No process has this number.
  mkdirSync(join(cwd, "data/backup/4194999/files"), { recursive: true });
  expect((await nerif("backup", "copy")).code).toBe(0);
  expect(readdirSync(join(cwd, "data/backup"))).toEqual([]);
});
