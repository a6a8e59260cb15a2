import { expect, test } from "vitest";
import type { StoredUpload } from "../../../src/batch/upload.ts";
import { aFile, anUpload, aPart } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const now = 1_767_225_700;
const over = 1_767_229_200;
const room = { now, parts: 10, bytes: 1_000 };

export function uploadTests(stores: () => Stores): void {
  async function insert(more: Partial<StoredUpload> = {}): Promise<StoredUpload> {
    const upload = anUpload(more);
    await stores().store.insertUpload(upload);
    return upload;
  }

  test("an upload comes back as it was recorded when another process asks, and only to its project", async () => {
    const upload = await insert({ filename: "ünï 💥.jsonl", file_lifetime: 3_600, api_key: "key_x" });
    expect(await stores().other.getUpload("default", upload.id)).toEqual(upload);
    expect(await stores().other.getUpload("other", upload.id)).toBeNull();
    expect(await stores().other.getUpload("default", anUpload().id)).toBeNull();
  });

  test("parts are added up to the room that there is", async () => {
    const { store, other } = stores();
    const upload = await insert();
    const parts = [aPart(upload, { bytes: 0 }), aPart(upload, { bytes: 999 }), aPart(upload, { bytes: 1 })];
    for (const part of parts) expect(await store.insertPart(part, room)).toBe(true);
    expect(await store.insertPart(aPart(upload, { bytes: 1 }), room)).toBe(false);
    expect(await store.insertPart(aPart(upload, { bytes: 0 }), { ...room, parts: 3 })).toBe(false);
    expect(await store.insertPart(aPart(upload, { bytes: 2_000 }), { ...room, bytes: 1_500 })).toBe(false);
    const found = await other.uploadParts(upload.id);
    expect(found.toSorted(byId)).toEqual(parts.toSorted(byId));
    expect(await other.getUpload("default", upload.id)).toMatchObject({ part_count: 3, part_bytes: 1_000 });
  });

  test("parts that come at once through two processes never pass the room", async () => {
    const { store, other } = stores();
    const upload = await insert();
    const added = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? store : other).insertPart(aPart(upload), { ...room, parts: 7 }),
      ),
    );
    expect(added.filter((yes) => yes)).toHaveLength(7);
    expect(await store.uploadParts(upload.id)).toHaveLength(7);
  });

  test.each([
    ["completed", { status: "completed" }, now],
    ["cancelled", { status: "cancelled" }, now],
    ["expired", { status: "expired" }, now],
    ["over but not yet marked", {}, over],
  ] as const)("nothing more happens to an upload that is %s", async (_, state, at) => {
    const { store } = stores();
    const upload = await insert(state);
    const file = aFile();
    expect(await store.insertPart(aPart(upload), { ...room, now: at })).toBe(false);
    expect(await store.completeUpload(upload.id, file, at)).toBe(false);
    expect(await store.cancelUpload(upload.id, at)).toBe(false);
    expect(await store.uploadParts(upload.id)).toEqual([]);
    expect(await store.getFile(null, file.id)).toBeNull();
    expect(await store.getUpload("default", upload.id)).toEqual(upload);
  });

  test("an upload is completed once, with its file, though two processes complete it at once", async () => {
    const { store, other } = stores();
    const upload = await insert();
    const files = [aFile(), aFile(), aFile(), aFile()];
    const done = await Promise.all(
      files.map((file, index) => (index % 2 === 0 ? store : other).completeUpload(upload.id, file, over - 1)),
    );
    expect(done.filter((yes) => yes)).toHaveLength(1);
    const winner = files[done.indexOf(true)];
    const query = { project: "default", now, limit: 10, order: "asc" } as const;
    expect(await other.listFiles(query)).toEqual([winner]);
    expect(await other.getUpload("default", upload.id)).toMatchObject({
      status: "completed",
      file_id: winner?.id,
    });
  });

  test("an upload stays pending when its file cannot be recorded", async () => {
    const { store } = stores();
    const upload = await insert();
    const file = aFile();
    await store.insertFile(file);
    await expect(store.completeUpload(upload.id, file, now)).rejects.toMatchObject({ code: "file_exists" });
    expect(await store.getUpload("default", upload.id)).toEqual(upload);
  });

  test("an upload is cancelled once and takes no part and no file afterwards", async () => {
    const { store, other } = stores();
    const upload = await insert();
    expect(await store.cancelUpload(upload.id, now)).toBe(true);
    expect(await other.cancelUpload(upload.id, now)).toBe(false);
    expect(await other.insertPart(aPart(upload), room)).toBe(false);
    expect(await other.completeUpload(upload.id, aFile(), now)).toBe(false);
  });

  test("an upload expires only when its time is over and nobody ended it before", async () => {
    const { store } = stores();
    const [young, old, cancelled] = [await insert(), await insert(), await insert({ status: "cancelled" })];
    await store.expireUpload(young.id, over - 1);
    await store.expireUpload(old.id, over);
    await store.expireUpload(cancelled.id, over);
    const statuses = [young, old, cancelled].map(
      async ({ id }) => (await store.getUpload("default", id))?.status,
    );
    expect(await Promise.all(statuses)).toEqual(["pending", "expired", "cancelled"]);
  });

  test("ended uploads are found as long as they have parts", async () => {
    const { store } = stores();
    const [open, cancelled, foreign] = [await insert(), await insert(), await insert({ project: "other" })];
    for (const upload of [open, cancelled, foreign]) await store.insertPart(aPart(upload), room);
    await insert({ status: "completed" });
    await store.cancelUpload(cancelled.id, now);
    expect(await store.endedUploads(now, 10)).toEqual([cancelled.id]);
    const all = [open.id, cancelled.id, foreign.id].toSorted();
    expect((await store.endedUploads(over, 10)).toSorted()).toEqual(all);
    expect(await store.endedUploads(over, 2)).toHaveLength(2);
    await store.deleteParts(cancelled.id);
    expect(await store.endedUploads(now, 10)).toEqual([]);
    expect(await store.uploadParts(open.id)).toHaveLength(1);
  });

  test("old uploads are forgotten when they have no parts", async () => {
    const { store } = stores();
    const [young, old, withPart] = [await insert({ expires_at: over + 1 }), await insert(), await insert()];
    await store.insertPart(aPart(withPart), room);
    await store.deleteUploads(over + 1);
    expect(await store.getUpload("default", young.id)).not.toBeNull();
    expect(await store.getUpload("default", withPart.id)).not.toBeNull();
    expect(await store.getUpload("default", old.id)).toBeNull();
  });

  test("bytes are named by a file that has them and by a part", async () => {
    const { store } = stores();
    const upload = await insert();
    const [file, deleted, removed] = [aFile({ key: "file-elsewhere" }), aFile(), aFile()];
    for (const one of [file, deleted, removed]) await store.insertFile(one);
    await store.deleteFile("default", deleted.id);
    await store.markBytesRemoved(removed.id);
    const part = aPart(upload);
    await store.insertPart(part, room);
    const keys = [file.id, "file-elsewhere", deleted.key, removed.key, part.id, "part_unknown"];
    const expected = ["file-elsewhere", deleted.key, part.id].toSorted();
    expect((await store.namedKeys(keys)).toSorted()).toEqual(expected);
    expect(await store.namedKeys([])).toEqual([]);
  });
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : 1;
}
