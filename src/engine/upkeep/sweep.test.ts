import { describe, expect, it } from "vitest";
import { createTestClock, type TestClock } from "../../../test/support/clock.ts";
import {
  aFile,
  anEvent,
  anUpload,
  aPart,
  aRunningBatch,
  aWebhookEndpoint,
} from "../../../test/support/control-rows.ts";
import { openTestInstance, type TestInstance } from "../../../test/support/http-instance.ts";
import type { StoredUpload } from "../../batch/upload.ts";
import type { FileStore } from "../../files/file-store.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import { planKey } from "../batch-files.ts";
import { sweep } from "./sweep.ts";

interface Fixture extends Pick<TestInstance, "control" | "journal"> {
  clock: TestClock;
  files: FileStore;
  /** An upload with one part, whose bytes are there. */
  addUpload(more?: Partial<StoredUpload>): Promise<{ upload: StoredUpload; part: string }>;
  put(key: string): Promise<void>;
}

async function createFixture(): Promise<Fixture> {
  const clock = createTestClock(1_767_225_600_000);
  const { control, journal } = await openTestInstance({ clock });
  const files = createMemoryFileStore({ now: clock.now });
  async function put(key: string): Promise<void> {
    const writer = await files.create(key);
    await writer.write([Buffer.from("x")]);
    await writer.commit();
  }
  return {
    ...{ control, journal, clock, files, put },
    async addUpload(more = {}) {
      const upload = anUpload(more);
      await control.insertUpload(upload);
      const part = aPart(upload);
      await put(part.id);
      await control.insertPart(part, { now: 0, parts: 10, bytes: 1_000 });
      return { upload, part: part.id };
    },
  };
}

describe("sweep", () => {
  it("removes the parts of uploads that have ended, and no others", async () => {
    const deps = await createFixture();
    const open = await deps.addUpload({ expires_at: 1_767_999_999 });
    const cancelled = await deps.addUpload({ expires_at: 1_767_999_999 });
    const expired = await deps.addUpload();
    await deps.control.cancelUpload(cancelled.upload.id, 0);
    await sweep(deps);
    expect(await deps.files.size(cancelled.part)).toBeNull();
    expect(await deps.files.size(expired.part)).toBe(1);
    deps.clock.jump(3_600_000);
    await sweep(deps);
    expect(await deps.files.size(expired.part)).toBeNull();
    expect(await deps.control.uploadParts(expired.upload.id)).toEqual([]);
    expect(await deps.control.getUpload("default", expired.upload.id)).toMatchObject({ status: "expired" });
    expect(await deps.files.size(open.part)).toBe(1);
  });

  it("forgets an upload a day after its time", async () => {
    const deps = await createFixture();
    const { upload } = await deps.addUpload();
    deps.clock.jump(3_600_000 + 86_400_000);
    await sweep(deps);
    expect(await deps.control.getUpload("default", upload.id)).not.toBeNull();
    deps.clock.jump(1_000);
    await sweep(deps);
    expect(await deps.control.getUpload("default", upload.id)).toBeNull();
  });

  it("forgets an event that nobody took a week after it came about", async () => {
    const { control, ...deps } = await createFixture();
    await control.insertWebhookEndpoint(aWebhookEndpoint(), 1);
    const batch = aRunningBatch();
    await control.insertBatch(batch);
    const event = anEvent(batch.id, { created_at: 1_767_225_600 });
    await control.updateBatch(batch.id, 1, { status: "completed" }, { event });
    const waiting = () => control.nextDeliveries({ limit: 9, exceptEndpoints: [], except: [] });
    deps.clock.jump(7 * 86_400_000);
    await sweep({ control, ...deps });
    expect(await waiting()).toHaveLength(1);
    deps.clock.jump(1_000);
    await sweep({ control, ...deps });
    expect(await waiting()).toEqual([]);
  });

  it("removes bytes that nothing names once they are too old to get a name", async () => {
    const deps = await createFixture();
    const { part } = await deps.addUpload({ expires_at: 1_767_999_999 });
    const [named, result] = [aFile(), aFile()];
    await deps.control.insertFile(named);
    const result_files = { output: result.id, error: aFile().id };
    const batch = aRunningBatch({ ending: "completed", result_files });
    await deps.control.insertBatch(batch);
    const plan = planKey(batch.id);
    const [lostPart, lostFile] = [`part_${"0".repeat(32)}`, aFile().id];
    const lostPlan = planKey(`batch_${"0".repeat(32)}`);
    for (const key of [named.key, result.id, plan, lostPart, lostFile, lostPlan]) await deps.put(key);
    await sweep(deps);
    expect(await deps.files.size(lostPart)).toBe(1);
    expect(await deps.files.size(lostFile)).toBe(1);
    expect(await deps.files.size(lostPlan)).toBe(1);
    deps.clock.jump(3_601_000);
    await sweep(deps);
    expect(await deps.files.size(lostPart)).toBeNull();
    expect(await deps.files.size(lostFile)).toBeNull();
    expect(await deps.files.size(lostPlan)).toBeNull();
    for (const key of [part, named.key, result.id, plan]) expect(await deps.files.size(key), key).toBe(1);
  });

  it("removes all else beside what cannot be removed, and says what failed first", async () => {
    const { deps, stuck } = await createFixtureOfStuck();
    const files = [aFile({ expires_at: 1 }), aFile({ expires_at: 1 })];
    const uploads = [await deps.addUpload(), await deps.addUpload()];
    const lost = aFile().id;
    for (const file of files) await deps.control.insertFile(file);
    for (const key of [...files.map((file) => file.key), lost]) await deps.put(key);
    deps.clock.jump(3_601_000);
    for (const key of [files[0]?.key, uploads[0]?.part]) if (key !== undefined) stuck.add(key);
    await expect(sweep(deps)).rejects.toThrow(`Cannot delete ${files[0]?.key}`);
    expect(await sizesOf(deps.files, [files[1]?.key, uploads[1]?.part, lost])).toEqual([null, null, null]);
    stuck.clear();
    await sweep(deps);
    expect(await sizesOf(deps.files, [files[0]?.key, uploads[0]?.part])).toEqual([null, null]);
  });

  it("gets past a page of files that cannot be removed", async () => {
    const { deps, stuck } = await createFixtureOfStuck();
    const bad = Array.from({ length: 501 }, () => aFile({ expires_at: 1 }));
    const good = aFile({ expires_at: 1 });
    for (const file of [...bad, good]) await deps.control.insertFile(file);
    for (const { key } of bad) stuck.add(key);
    await deps.put(good.key);
    await expect(sweep(deps)).rejects.toThrow("Cannot delete");
    expect(await deps.files.size(good.key)).toBeNull();
  });

  it("removes all that there is, however much", async () => {
    const deps = await createFixture();
    const { control } = deps;
    for (let count = 0; count < 501; count += 1) await control.insertFile(aFile({ expires_at: 1 }));
    for (let count = 0; count < 101; count += 1) await deps.addUpload({ expires_at: 1_767_225_601 });
    deps.clock.jump(1_000);
    await sweep(deps);
    expect(await control.removableFiles(1_767_225_601, 1_000)).toEqual([]);
    expect(await control.endedUploads(1_767_225_601, 1_000)).toEqual([]);
  });

  it("ends after what it is just removing when it is told to", async () => {
    const deps = await createFixture();
    for (let count = 0; count < 3; count += 1) await deps.control.insertFile(aFile({ expires_at: 1 }));
    const stop = new AbortController();
    const remove = deps.files.delete;
    deps.files.delete = async (key) => {
      stop.abort();
      await remove(key);
    };
    await sweep(deps, stop.signal);
    expect(await deps.control.removableFiles(1_767_225_600, 10)).toHaveLength(2);
  });
});

/** Nothing can delete the keys in `stuck`. */
async function createFixtureOfStuck(): Promise<{ deps: Fixture; stuck: Set<string> }> {
  const deps = await createFixture();
  const stuck = new Set<string>();
  const { files } = deps;
  const refusing: FileStore = {
    ...files,
    async delete(key) {
      if (stuck.has(key)) throw new Error(`Cannot delete ${key}`);
      await files.delete(key);
    },
  };
  return { deps: { ...deps, files: refusing }, stuck };
}

function sizesOf(files: FileStore, keys: readonly (string | undefined)[]): Promise<(number | null)[]> {
  return Promise.all(keys.map((key) => files.size(key ?? "")));
}
