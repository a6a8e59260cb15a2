import { expect, test } from "vitest";
import type { StoredFile } from "../../../src/batch/file.ts";
import { aBatch, aFile, aRunningBatch } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const now = 1_767_300_000;

export function fileTests(stores: () => Stores): void {
  const list = (more: Partial<Parameters<Stores["store"]["listFiles"]>[0]> = {}) =>
    stores().store.listFiles({ project: "default", now, limit: 100, order: "desc", ...more });

  test("a file comes back as it was recorded when another process asks", async () => {
    const { store, other } = stores();
    const file = aFile({ expires_at: now + 1, filename: "ünï 💥.jsonl", key: "/data/ünï.jsonl" });
    await store.insertFile(file);
    expect(await other.getFile("default", file.id)).toEqual(file);
    expect(await other.getFile(null, file.id)).toEqual(file);
  });

  test("a file is unknown when another project or another id is asked for", async () => {
    const { store } = stores();
    const file = aFile({ project: "mine" });
    await store.insertFile(file);
    expect(await store.getFile("default", file.id)).toBeNull();
    expect(await store.getFile("mine", aFile().id)).toBeNull();
  });

  test("a second file with the same id is refused and leaves the first as it is, also a deleted one", async () => {
    const { store } = stores();
    const file = aFile();
    await store.insertFile(file);
    const twin = { ...file, project: "other", bytes: 1 };
    await expect(store.insertFile(twin)).rejects.toMatchObject({ code: "file_exists" });
    expect(await store.getFile(null, file.id)).toEqual(file);
    await store.deleteFile("default", file.id);
    await expect(store.insertFile(twin)).rejects.toMatchObject({ code: "file_exists" });
  });

  test("a file is gone when it was deleted, and can be deleted once, by its own project", async () => {
    const { store, other } = stores();
    const file = aFile();
    await store.insertFile(file);
    expect(await store.deleteFile("other", file.id)).toBe(false);
    expect(await store.getFile("default", file.id)).toEqual(file);
    expect(await store.deleteFile("default", file.id)).toBe(true);
    expect(await store.deleteFile("default", file.id)).toBe(false);
    expect(await other.getFile(null, file.id)).toBeNull();
    expect(await list()).toEqual([]);
  });

  test.each(["asc", "desc"] as const)(
    "files of one second are paged in one stable order when %s",
    async (order) => {
      const { store } = stores();
      const files = Array.from({ length: 25 }, (_, index) =>
        aFile({ created_at: 100 + Math.floor(index / 10) }),
      );
      for (const file of files) await store.insertFile(file);
      const expected = (order === "asc" ? files : files.toReversed()).map((file) => file.id);

      const seen: string[] = [];
      for (let after: string | undefined; ; after = seen.at(-1)) {
        const page = await list({ order, limit: 7, after });
        expect(page.length).toBeLessThanOrEqual(7);
        if (page.length === 0) break;
        seen.push(...page.map((file) => file.id));
      }
      expect(seen).toEqual(expected);
    },
  );

  test("a list goes on after a file that was deleted or has expired", async () => {
    const { store } = stores();
    const [oldest, deleted, expired, newest] = [
      aFile({ created_at: 1 }),
      aFile({ created_at: 2 }),
      aFile({ created_at: 2, expires_at: now }),
      aFile({ created_at: 2 }),
    ] as const;
    for (const file of [oldest, deleted, expired, newest]) await store.insertFile(file);
    await store.deleteFile("default", deleted.id);
    expect(await list()).toEqual([newest, oldest]);
    expect(await list({ after: deleted.id })).toEqual([oldest]);
    expect(await list({ after: expired.id })).toEqual([oldest]);
    expect(await list({ after: expired.id, order: "asc" })).toEqual([newest]);
    await store.markBytesRemoved(deleted.id);
    expect(await list({ after: deleted.id })).toEqual([oldest]);
  });

  test("a list is refused when it shall begin after a file that the project never had", async () => {
    const { store } = stores();
    const foreign = aFile({ project: "other" });
    await store.insertFile(foreign);
    for (const after of [foreign.id, aFile().id]) {
      await expect(list({ after })).rejects.toMatchObject({ code: "cursor_not_found", param: "after" });
    }
  });

  test("a list holds only files of the project, of the purpose, and not yet expired", async () => {
    const { store } = stores();
    const input = aFile();
    const output = aFile({ purpose: "batch_output" });
    const lasting = aFile({ expires_at: now + 1 });
    for (const file of [input, output, lasting, aFile({ expires_at: now }), aFile({ project: "other" })]) {
      await store.insertFile(file);
    }
    expect(await list()).toEqual([lasting, output, input]);
    expect(await list({ purpose: "batch" })).toEqual([lasting, input]);
    expect(await list({ purpose: "batch", after: output.id })).toEqual([input]);
    expect(await list({ limit: 1 })).toEqual([lasting]);
  });

  test("bytes are removable when their file is deleted or expired, until they were removed", async () => {
    const { store } = stores();
    const [deleted, expired, kept] = [
      aFile(),
      aFile({ project: "other", expires_at: now }),
      aFile(),
    ] as const;
    for (const file of [deleted, expired, kept, aFile({ expires_at: now + 1 })]) await store.insertFile(file);
    await store.deleteFile("default", deleted.id);
    expect(await ids(store.removableFiles(now, 10))).toEqual([deleted.id, expired.id].toSorted());
    expect(await store.removableFiles(now, 1)).toHaveLength(1);
    await store.markBytesRemoved(deleted.id);
    expect(await store.removableFiles(now, 10)).toEqual([expired]);
  });

  test("bytes are not removable while a batch that is not final reads them", async () => {
    const { store } = stores();
    const file = aFile({ expires_at: 1 });
    await store.insertFile(file);
    await store.insertBatch(aBatch({ input_file_id: file.id, status: "completed" }));
    const running = aRunningBatch({ input_file_id: file.id });
    await store.insertBatch(running);
    expect(await store.isInputInUse(file.id)).toBe(true);
    expect(await store.removableFiles(now, 10)).toEqual([]);
    await store.updateBatch(running.id, 1, { status: "completed" });
    expect(await store.isInputInUse(file.id)).toBe(false);
    expect(await store.removableFiles(now, 10)).toEqual([file]);
  });
}

async function ids(files: Promise<StoredFile[]>): Promise<string[]> {
  return (await files).map((file) => file.id).toSorted();
}
