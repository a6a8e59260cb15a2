import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { ControlStore } from "../control/control-store.ts";
import { openSqliteControlStore } from "../control/sqlite.ts";
import type { FileStore } from "../files/file-store.ts";
import { createMemoryFileStore } from "../files/memory.ts";
import { claimStorage } from "./claim-storage.ts";

test("database and files that are new become those of one another, also for many processes at once", async () => {
  const [control, files] = [await aControlStore(), createMemoryFileStore()];
  await Promise.all(Array.from({ length: 8 }, () => claimStorage({ control, files })));
  const mark = await control.getStorage();
  expect(mark).toEqual({ id: await idIn(files), isPlaced: true });
  await claimStorage({ control, files });
  expect(await control.getStorage()).toEqual(mark);
});

test("files of another database are refused, by a new one too, and stay what they are", async () => {
  const [control, files] = [await aControlStore(), createMemoryFileStore()];
  await claimStorage({ control, files });
  const foreign = createMemoryFileStore();
  await claimStorage({ control: await aControlStore(), files: foreign });
  const id = await idIn(foreign);
  const refused = {
    code: "invalid_configuration",
    message: expect.stringContaining("belong to another database"),
  };
  await expect(claimStorage({ control, files: foreign })).rejects.toMatchObject(refused);
  const fresh = await aControlStore();
  await expect(claimStorage({ control: fresh, files: foreign })).rejects.toMatchObject(refused);
  expect(await idIn(foreign)).toBe(id);
  expect(await fresh.getStorage()).toBeNull();
});

test("an empty place is refused when the files have been elsewhere: it may not be mounted", async () => {
  const control = await aControlStore();
  await claimStorage({ control, files: createMemoryFileStore() });
  const empty = createMemoryFileStore();
  await expect(claimStorage({ control, files: empty })).rejects.toMatchObject({
    code: "invalid_configuration",
    message: expect.stringContaining("not mounted"),
  });
  expect(await empty.size("storage-id")).toBeNull();
});

test("a first start that died before it had written the id is gone on with", async () => {
  const [control, files] = [await aControlStore(), createMemoryFileStore()];
  await control.chooseStorage("chosen");
  await claimStorage({ control, files });
  expect(await idIn(files)).toBe("chosen");
  expect(await control.getStorage()).toEqual({ id: "chosen", isPlaced: true });
});

async function aControlStore(): Promise<ControlStore> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-storage-"));
  const control = await openSqliteControlStore({ path: join(directory, "nerif.db") });
  onTestFinished(async () => {
    await control.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return control;
}

async function idIn(files: FileStore): Promise<string> {
  const reader = await files.open("storage-id");
  const id = (await reader.read(0, 100)).toString().trim();
  await reader.close();
  return id;
}
