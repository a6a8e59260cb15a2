import fc from "fast-check";
import { expect, test } from "vitest";
import { noQuotas } from "../../../src/batch/api-key.ts";
import { type Batch, batchStatuses } from "../../../src/batch/batch.ts";
import type { BatchQuery } from "../../../src/control/control-store.ts";
import { aBatch, aFile, anApiKey, aRunningBatch, aTally, someShards } from "../../support/control-rows.ts";
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

  test("a batch and the input that comes with it are recorded together or not at all", async () => {
    const { store, other } = stores();
    const apiKey = anApiKey({ quotas: { ...noQuotas, stored_bytes: 10, queued_lines: 2 } });
    const insert = async (bytes: number, lines: number) => {
      const input = aFile({ api_key: apiKey.id, bytes, lines });
      const batch = aBatch({ api_key: apiKey.id, input_file_id: input.id });
      const failure = await store
        .insertBatch(batch, { quotas: apiKey.quotas, input })
        .catch((reason) => reason);
      const [file, found] = [await other.getFile(null, input.id), await other.getBatch(null, batch.id)];
      return { failure, recorded: [file?.id === input.id, found?.id === batch.id] };
    };
    const refused = { failure: { code: "quota_exceeded" }, recorded: [false, false] };
    expect(await insert(11, 1)).toMatchObject(refused);
    expect(await insert(6, 3)).toMatchObject(refused);
    expect(await insert(6, 1)).toEqual({ failure: undefined, recorded: [true, true] });
    // Both count from then on.
    expect(await insert(5, 1)).toMatchObject(refused);
    expect(await insert(4, 2)).toMatchObject(refused);
    expect(await insert(4, 1)).toEqual({ failure: undefined, recorded: [true, true] });
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
    const list = async (query: Partial<BatchQuery>) =>
      (await store.listBatches({ project: "default", limit: 10, ...query })).map((batch) => batch.id);
    expect(await list({})).toEqual([waiting.id, failed.id]);
    expect(await list({ project: null })).toEqual([waiting.id, other.id, failed.id]);
    expect(await list({ status: "failed" })).toEqual([failed.id]);
    expect(await list({ status: "failed", after: waiting.id })).toEqual([failed.id]);
    expect(await list({ status: "completed" })).toEqual([]);
  });

  test("a list holds only batches that were created later and earlier than asked for", async () => {
    const { store } = stores();
    const [one, two, three] = [
      await insert(store, aBatch({ created_at: 101 })),
      await insert(store, aBatch({ created_at: 102 })),
      await insert(store, aBatch({ created_at: 103 })),
    ];
    const list = async (query: Partial<BatchQuery>) =>
      (await store.listBatches({ project: "default", limit: 10, ...query })).map((batch) => batch.id);
    expect(await list({ created_after: 101 })).toEqual([three.id, two.id]);
    expect(await list({ created_before: 103 })).toEqual([two.id, one.id]);
    expect(await list({ created_after: 101, created_before: 103 })).toEqual([two.id]);
    expect(await list({ created_after: 102, created_before: 102 })).toEqual([]);
  });

  test("a list holds only batches that have every pair of metadata, letter for letter", async () => {
    const { store } = stores();
    // Texts that look like JSON from the inside, and those that databases like to take for each other.
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(",", ":", '"', "\\", "{", "}", "\n", " ", "n"), maxLength: 4 }),
      fc.constantFrom("a", "A", "ä", "a\u0308", "%", "_", "\u0000", "\ud800", "💥", "__proto__", "1", "null"),
    );
    const pairs = fc.uniqueArray(fc.tuple(text, text), { selector: ([key]) => key, maxLength: 4 });
    const all = fc.sample(pairs, { numRuns: 150, seed: 1 }).map((some) => Object.fromEntries(some));
    // Without newlines in the stored text this one seems to have the pair of the one behind it.
    all.push(
      Object.fromEntries([
        ["a", "x,"],
        [":", "y"],
      ]),
      { ",": ":" },
    );
    const batches: Batch[] = [];
    for (const metadata of all) batches.push(await insert(store, aBatch({ metadata })));
    batches.push(await insert(store, aBatch({ metadata: null })));

    async function expectExactly(wanted: Record<string, string>): Promise<void> {
      const found = await store.listBatches({ project: null, limit: 1_000, metadata: wanted });
      const expected = batches.filter(({ metadata }) =>
        Object.entries(wanted).every(
          ([key, value]) => Object.hasOwn(metadata ?? {}, key) && metadata?.[key] === value,
        ),
      );
      expect(new Set(found.map(({ id }) => id))).toEqual(new Set(expected.map(({ id }) => id)));
    }

    for (const metadata of all) {
      await expectExactly(metadata);
      for (const [key, value] of Object.entries(metadata))
        await expectExactly(Object.fromEntries([[key, value]]));
    }
    await fc.assert(
      fc.asyncProperty(pairs, async (some) => expectExactly(Object.fromEntries(some))),
      { numRuns: 200 },
    );
  });

  test("a list goes on after a batch that is not among those asked for", async () => {
    const { store } = stores();
    const metadata = { team: "search" };
    const first = await insert(store, aBatch({ metadata }));
    const between = await insert(store, aBatch({ status: "failed" }));
    const last = await insert(store, aBatch({ metadata }));
    const list = async (after?: string) =>
      (await store.listBatches({ project: "default", limit: 1, metadata, after })).map((batch) => batch.id);
    expect(await list()).toEqual([last.id]);
    expect(await list(last.id)).toEqual([first.id]);
    expect(await list(between.id)).toEqual([first.id]);
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
    expect(await store.unfinishedBatches(1)).toEqual([
      {
        ...{ id: old.id, project: "other", status: old.status, ending: null },
        ...{ expires_at: 200, result_files: null },
      },
    ]);
  });

  test("batches end that are cancelled, late, or at their end, and none that is final", async () => {
    const { store } = stores();
    const result_files = { output: "file-o", error: "file-e" };
    const ending = [
      await insert(store, aBatch({ status: "cancelling" })),
      await insert(store, aBatch({ status: "in_progress", expires_at: 100 })),
      await insert(store, aBatch({ status: "finalizing", ending: "completed", result_files })),
    ];
    await insert(store, aBatch({ status: "in_progress", expires_at: 101 }));
    await insert(store, aBatch({ status: "in_progress", expires_at: null }));
    await insert(store, aBatch({ status: "expired", ending: "expired", expires_at: 50 }));
    const found = await store.endingBatches(100);
    expect(found.map(({ id }) => id).toSorted()).toEqual(ending.map(({ id }) => id).toSorted());
    expect(found.find(({ id }) => id === ending[2]?.id)).toMatchObject({ ending: "completed", result_files });
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
