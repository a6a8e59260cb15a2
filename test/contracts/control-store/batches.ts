import { expect, test } from "vitest";
import { type Batch, batchStatuses } from "../../../src/batch/batch.ts";
import { aBatch, aFile, aRunningBatch, aTally, someShards } from "../../support/control-rows.ts";
import type { Stores } from "../control-store.ts";

const noUsage = {
  input_tokens: 0,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 0,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 0,
};

export function batchTests(stores: () => Stores): void {
  test("a batch comes back as it was recorded when another process asks", async () => {
    const { store, other } = stores();
    const bare = aBatch({ expires_at: null });
    const full = aBatch({
      status: "completed",
      model: "m",
      version: 7,
      errors: [{ code: "c", line: 3, message: "ünï 💥", param: null }],
      output_file_id: "file-out",
      error_file_id: "file-err",
      in_progress_at: 1,
      finalizing_at: 2,
      completed_at: 3,
      failed_at: 4,
      expired_at: 5,
      cancelling_at: 6,
      cancelled_at: 7,
      request_counts: { total: 5_000_000_000, completed: 4_999_999_999, failed: 1 },
      usage: { ...noUsage, total_tokens: 9_000_000_000_000 },
      metadata: { __proto__x: "1", "": "" },
      output_expires_after: { anchor: "created_at", seconds: 3600 },
      ending: "completed",
      result_files: { output: "file-o", error: "file-e" },
    });
    for (const batch of [bare, full]) {
      await store.insertBatch(batch);
      expect(await other.getBatch("default", batch.id)).toEqual(batch);
      expect(await other.getBatch(null, batch.id)).toEqual(batch);
      expect(await other.getBatch("other", batch.id)).toBeNull();
    }
  });

  test("an update changes what it names, raises the version and adds its files", async () => {
    const { store, other } = stores();
    const batch = aBatch({ metadata: { a: "b" }, version: 4 });
    await store.insertBatch(batch);
    const files = [aFile({ purpose: "batch_output" }), aFile({ purpose: "batch_output" })];
    const patch = {
      status: "failed" as const,
      failed_at: 9,
      errors: [{ code: "c", line: null, message: "m", param: "p" }],
      request_counts: { total: 3, completed: 0, failed: 0 },
      metadata: null,
      usage: noUsage,
    };
    const updated = await store.updateBatch(batch.id, 4, patch, { files });
    expect(updated).toEqual({ ...batch, ...patch, version: 5 });
    expect(await other.getBatch(null, batch.id)).toEqual(updated);
    for (const file of files) expect(await other.getFile("default", file.id)).toEqual(file);
  });

  test("an update does nothing, and adds no file, when the version is not the one named", async () => {
    const { store } = stores();
    const batch = aBatch({ version: 4 });
    await store.insertBatch(batch);
    const file = aFile();
    expect(await store.updateBatch(batch.id, 3, { status: "cancelling" }, { files: [file] })).toBeNull();
    expect(await store.updateBatch(aBatch().id, 1, { status: "cancelling" }, { files: [file] })).toBeNull();
    expect(await store.getBatch(null, batch.id)).toEqual(batch);
    expect(await store.getFile(null, file.id)).toBeNull();
  });

  test("an update leaves the batch as it is when one of its files cannot be added", async () => {
    const { store } = stores();
    const batch = aBatch();
    const [taken, fresh] = [aFile(), aFile()] as const;
    await store.insertBatch(batch);
    await store.insertFile(taken);
    const update = store.updateBatch(batch.id, 1, { status: "cancelling" }, { files: [fresh, taken] });
    await expect(update).rejects.toMatchObject({ code: "file_exists" });
    expect(await store.getBatch(null, batch.id)).toEqual(batch);
    expect(await store.getFile(null, fresh.id)).toBeNull();
  });

  test("one of many writers wins when all update the same version at once", async () => {
    const { store, other } = stores();
    const batch = aBatch();
    await store.insertBatch(batch);
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? store : other).updateBatch(batch.id, 1, { model: `m${index}` }),
      ),
    );
    const [winner, ...more] = results.filter((result) => result !== null);
    expect(more).toEqual([]);
    expect(winner?.version).toBe(2);
    expect(await store.getBatch(null, batch.id)).toEqual(winner);
  });

  test("no update is lost when writers that lose read again and repeat", async () => {
    const { store, other } = stores();
    const batch = aBatch({ metadata: { n: "0" } });
    await store.insertBatch(batch);
    await Promise.all([addTen(store, batch.id), addTen(other, batch.id), addTen(store, batch.id)]);
    expect(await other.getBatch(null, batch.id)).toMatchObject({ metadata: { n: "30" }, version: 31 });
  });

  test("counts and usage are the sums over the shards while the batch runs", async () => {
    const { store, other } = stores();
    const batch = aRunningBatch();
    const twin = aRunningBatch();
    for (const { id } of [await insert(store, batch), await insert(store, twin)]) {
      await store.insertShards(id, someShards(0, 3));
    }
    expect(await store.getBatch(null, batch.id)).toEqual({ ...batch, usage: noUsage });

    const request = { batchId: batch.id, endpoint: "/v1/chat/completions", model: "m", holder: "h" };
    const [first, second] = await store.leaseShards({ ...request, limit: 2, leaseMs: 1_000 });
    if (first === undefined || second === undefined) throw new Error("no shards");
    await store.finishShard(first, [], aTally(500, 12));
    await store.renewLease(second, 1_000, aTally(100, 1));
    const counted = {
      ...batch,
      request_counts: { total: 1_000_000, completed: 600, failed: 13 },
      usage: {
        input_tokens: 6_000,
        input_tokens_details: { cached_tokens: 600 },
        output_tokens: 3_000,
        output_tokens_details: { reasoning_tokens: 1_200 },
        total_tokens: 9_000,
      },
    };
    expect(await other.getBatch(null, batch.id)).toEqual(counted);
    expect(await other.listBatches({ project: null, limit: 10 })).toEqual([
      { ...twin, usage: noUsage },
      counted,
    ]);
    const cancelling = await store.updateBatch(batch.id, 1, { status: "cancelling" });
    expect(cancelling).toEqual({ ...counted, status: "cancelling", version: 2 });
  });

  test("counts and usage are those that were set last once the batch is final", async () => {
    const { store } = stores();
    const batch = await insert(store, aRunningBatch());
    await store.insertShards(batch.id, someShards(0, 1));
    const request_counts = { total: 512, completed: 500, failed: 2 };
    const usage = { ...noUsage, total_tokens: 77 };
    const final = await store.updateBatch(batch.id, 1, { status: "expired", request_counts, usage });
    expect(final).toMatchObject({ request_counts, usage });
    expect(await store.getBatch(null, batch.id)).toEqual(final);
  });

  test("usage is null until lines run", async () => {
    const { store } = stores();
    const batch = await insert(store, aBatch());
    await store.insertShards(batch.id, someShards(0, 1));
    expect((await store.getBatch(null, batch.id))?.usage).toBeNull();
    const cancelled = await store.updateBatch(batch.id, 1, { status: "cancelling" });
    expect(cancelled?.usage).toBeNull();
  });

  test("batches of one second are paged newest first in one stable order", async () => {
    const { store } = stores();
    const batches: Batch[] = [];
    for (let index = 0; index < 25; index++) {
      batches.push(await insert(store, aBatch({ created_at: 100 + Math.floor(index / 10) })));
    }
    const seen: Batch[] = [];
    for (;;) {
      const page = await store.listBatches({ project: "default", limit: 7, after: seen.at(-1)?.id });
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(seen).toEqual(batches.toReversed());
  });

  test("a list holds only batches of the project and the status", async () => {
    const { store } = stores();
    const failed = await insert(store, aBatch({ status: "failed" }));
    const other = await insert(store, aBatch({ project: "other" }));
    const waiting = await insert(store, aBatch());
    const list = async (query: Partial<Parameters<typeof store.listBatches>[0]>) =>
      (await store.listBatches({ project: "default", limit: 10, ...query })).map((batch) => batch.id);
    expect(await list({})).toEqual([waiting.id, failed.id]);
    expect(await list({ project: null })).toEqual([waiting.id, other.id, failed.id]);
    expect(await list({ status: "failed" })).toEqual([failed.id]);
    expect(await list({ status: "failed", after: waiting.id })).toEqual([failed.id]);
    expect(await list({ status: "completed" })).toEqual([]);
  });

  test("a list is refused when it shall begin after a batch that the project does not have", async () => {
    const { store } = stores();
    const foreign = await insert(store, aBatch({ project: "other" }));
    for (const after of [foreign.id, aBatch().id]) {
      const list = store.listBatches({ project: "default", limit: 10, after });
      await expect(list).rejects.toMatchObject({ code: "cursor_not_found", param: "after" });
    }
  });

  test("unfinished batches come with the nearest deadline first, those without one last", async () => {
    const { store } = stores();
    const endless = await insert(store, aBatch({ expires_at: null, created_at: 1 }));
    const late = await insert(store, aBatch({ expires_at: 300 }));
    const young = await insert(store, aBatch({ expires_at: 200, created_at: 3 }));
    const old = await insert(store, aBatch({ expires_at: 200, created_at: 2, project: "other" }));
    expect((await store.unfinishedBatches()).map((batch) => batch.id)).toEqual(
      [old, young, late, endless].map((batch) => batch.id),
    );
  });

  test.each(batchStatuses)(
    "a batch that is %s is unfinished, and its input in use, only until it is final",
    async (status) => {
      const { store } = stores();
      const batch = await insert(store, aBatch({ status }));
      const unfinished = ["validating", "in_progress", "finalizing", "cancelling"].includes(status);
      expect(await store.unfinishedBatches()).toHaveLength(unfinished ? 1 : 0);
      expect(await store.isInputInUse(batch.input_file_id)).toBe(unfinished);
    },
  );

  test("a batch takes its shards with it when it is deleted", async () => {
    const { store } = stores();
    const batch = await insert(store, aRunningBatch());
    const twin = await insert(store, aRunningBatch());
    await store.insertShards(batch.id, someShards(0, 2));
    await store.insertShards(twin.id, someShards(0, 2));
    await store.deleteBatch(batch.id);
    expect(await store.getBatch(null, batch.id)).toBeNull();
    expect(await store.shardsInOrder(batch.id, -1, 10)).toEqual([]);
    expect(await store.shardsInOrder(twin.id, -1, 10)).toHaveLength(2);
  });

  test("the change counter moves when any store has written, and only then", async () => {
    const { store, other } = stores();
    const start = [await store.changeCounter(), await other.changeCounter()] as const;
    await store.getBatch(null, "batch_0");
    await store.listBatches({ project: null, limit: 1 });
    expect([await store.changeCounter(), await other.changeCounter()]).toEqual(start);

    const batch = await insert(store, aBatch());
    const inserted = [await store.changeCounter(), await other.changeCounter()] as const;
    expect(inserted[0]).not.toBe(start[0]);
    expect(inserted[1]).not.toBe(start[1]);

    await other.updateBatch(batch.id, 1, { status: "cancelling" });
    expect(await store.changeCounter()).not.toBe(inserted[0]);
    expect(await other.changeCounter()).not.toBe(inserted[1]);
  });

  test("a store refuses work when it is closed, and can be closed again", async () => {
    const { store } = stores();
    const last = store.insertBatch(aBatch());
    await store.close();
    await last;
    await expect(store.unfinishedBatches()).rejects.toMatchObject({ code: "storage_unavailable" });
    await store.close();
  });
}

async function insert(store: Stores["store"], batch: Batch): Promise<Batch> {
  await store.insertBatch(batch);
  return batch;
}

async function addTen(store: Stores["store"], id: string): Promise<void> {
  for (let added = 0; added < 10; ) {
    const batch = await store.getBatch(null, id);
    if (batch === null) throw new Error("the batch is gone");
    const metadata = { n: String(Number(batch.metadata?.n) + 1) };
    if ((await store.updateBatch(id, batch.version, { metadata })) !== null) added++;
  }
}
