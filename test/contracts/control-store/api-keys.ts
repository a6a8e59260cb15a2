import { expect, test } from "vitest";
import { noQuotas, type StoredApiKey } from "../../../src/batch/api-key.ts";
import { newFileId, newId } from "../../../src/batch/ids.ts";
import { aBatch, aFile, anApiKey, aRunningBatch, aTally, someShards } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

export function apiKeyTests(stores: () => Stores): void {
  const usage = (key: StoredApiKey) => stores().store.apiKeyUsage(key.id);

  test("a key comes back as it was recorded when another process asks for its hash", async () => {
    const { store, other } = stores();
    const key = anApiKey({ name: "ünï 💥", quotas: { ...noQuotas, requests_per_second: 0.5 } });
    expect(await other.hasApiKeys()).toBe(false);
    await store.insertApiKey(key);
    expect(await other.hasApiKeys()).toBe(true);
    expect(await other.findApiKey(key.hash)).toEqual(key);
    expect(await other.getApiKey(key.id)).toEqual(key);
    expect(await other.findApiKey(anApiKey().hash)).toBeNull();
    expect(await other.getApiKey(newId("api_key"))).toBeNull();
  });

  test("keys are listed in the order of their making, revoked ones too", async () => {
    const { store } = stores();
    const keys = [anApiKey(), anApiKey({ project: "other" }), anApiKey({ revoked_at: 5 })];
    for (const key of keys) await store.insertApiKey(key);
    expect(await store.listApiKeys()).toEqual(keys);
  });

  test("a key is revoked at its first revocation, and there is still a key afterwards", async () => {
    const { store, other } = stores();
    const key = anApiKey();
    await store.insertApiKey(key);
    expect(await store.revokeApiKey(key.id, 7)).toEqual({ ...key, revoked_at: 7 });
    expect(await other.revokeApiKey(key.id, 8)).toEqual({ ...key, revoked_at: 7 });
    expect(await other.findApiKey(key.hash)).toMatchObject({ revoked_at: 7 });
    expect(await other.revokeApiKey(newId("api_key"), 8)).toBeNull();
    expect(await other.hasApiKeys()).toBe(true);
  });

  test("two keys with one hash are refused", async () => {
    const { store } = stores();
    const key = anApiKey();
    await store.insertApiKey(key);
    await expect(store.insertApiKey({ ...anApiKey(), hash: key.hash })).rejects.toThrow();
  });

  test("stored bytes are those of the key's own files until their bytes are removed", async () => {
    const { store } = stores();
    const key = anApiKey();
    const [first, second] = [aFile({ api_key: key.id, bytes: 5e9 }), aFile({ api_key: key.id, bytes: 3 })];
    for (const file of [first, second, aFile({ api_key: newId("api_key") }), aFile()]) {
      await store.insertFile(file);
    }
    expect(await usage(key)).toEqual({ stored_bytes: 5e9 + 3, open_uploads: 0, queued_lines: 0 });
    await store.deleteFile("default", first.id);
    expect(await usage(key)).toMatchObject({ stored_bytes: 5e9 + 3 });
    await store.markBytesRemoved(first.id);
    expect(await usage(key)).toMatchObject({ stored_bytes: 3 });
  });

  test("a file is refused when it takes its key beyond its quota, and fits up to it", async () => {
    const { store, other } = stores();
    const key = anApiKey({ quotas: { ...noQuotas, stored_bytes: 10 } });
    const add = (bytes: number, more: object = {}) =>
      store.insertFile(aFile({ api_key: key.id, bytes, ...more }), key);
    await add(4);
    const tooMuch = aFile({ api_key: key.id, bytes: 7 });
    await expect(store.insertFile(tooMuch, key)).rejects.toMatchObject({
      code: "quota_exceeded",
      message: expect.stringContaining("'stored_bytes' of this API key is 10, of which 4 are used"),
    });
    expect(await store.getFile(null, tooMuch.id)).toBeNull();
    // Of two at the same time only one fits.
    const both = await Promise.allSettled([
      add(6),
      other.insertFile(aFile({ api_key: key.id, bytes: 6 }), key),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await add(1_000, { api_key: null });
    expect(await usage(key)).toMatchObject({ stored_bytes: 10 });
  });

  test("queued lines are those of the key's unfinished batches that are not done", async () => {
    const { store } = stores();
    const key = anApiKey();
    const counted = aFile({ lines: 40 });
    const uncounted = aFile({ lines: null });
    await store.insertFile(counted);
    await store.insertFile(uncounted);
    const mine = { api_key: key.id };
    const running = aRunningBatch({ ...mine, request_counts: { total: 1_000, completed: 0, failed: 0 } });
    const ended = aBatch({
      ...mine,
      status: "completed",
      request_counts: { total: 9, completed: 5, failed: 0 },
    });
    const batches = [
      aBatch({ ...mine, input_file_id: counted.id }),
      aBatch({ ...mine, input_file_id: uncounted.id }),
      aBatch({ ...mine, input_file_id: newFileId() }),
      running,
      ended,
      aRunningBatch({ api_key: newId("api_key") }),
      aRunningBatch(),
    ];
    for (const batch of batches) await store.insertBatch(batch);
    expect(await usage(key)).toMatchObject({ queued_lines: 1_040 });
    await store.insertShards(running.id, someShards(0, 2));
    const route = { endpoint: "/v1/chat/completions", model: "m" };
    const [lease] = await store.leaseShards({
      ...{ batchId: running.id, ...route, holder: "h", limit: 1, leaseMs: 1_000 },
    });
    if (lease === undefined) throw new Error("There is no shard to lease");
    await store.finishShard(lease, [], aTally(500, 12));
    expect(await usage(key)).toMatchObject({ queued_lines: 40 + 1_000 - 512 });
  });

  test("a batch is refused when its lines take its key beyond its quota", async () => {
    const { store } = stores();
    const key = anApiKey({ quotas: { ...noQuotas, queued_lines: 10 } });
    const six = aFile({ lines: 6 });
    const four = aFile({ lines: 4 });
    for (const file of [six, four]) await store.insertFile(file);
    const add = (file: { id: string }) =>
      store.insertBatch(aBatch({ api_key: key.id, input_file_id: file.id }), key);
    await add(six);
    await expect(add(six)).rejects.toMatchObject({
      code: "quota_exceeded",
      message: expect.stringContaining("'queued_lines' of this API key is 10, of which 6 are used"),
    });
    await add(four);
    expect(await usage(key)).toMatchObject({ queued_lines: 10 });
  });
}
