import { describe, expect, it } from "vitest";
import {
  finishBatch,
  journalResults,
  nothing,
  openTestInstance,
  project,
  requestLine,
  resultLine,
  type TestInstance,
  textOf,
  uploadInput,
} from "../../test/support/http-instance.ts";

async function createBatch(instance: TestInstance, lines: number): Promise<string> {
  const input = Array.from({ length: lines }, (_, line) => `${requestLine(`row-${line}`)}\n`).join("");
  const { id: input_file_id } = await uploadInput(instance, input);
  const params = { input_file_id, endpoint: "/v1/embeddings", completion_window: "24h" };
  return (await instance.service.batches.create(project, params)).id;
}

function linesOf(batchId: string, lines: { line: number; fate?: "output" | "error" }[]): string {
  return lines.map(({ line, fate }) => `${resultLine(batchId, line, fate)}\n`).join("");
}

describe("results of a batch", () => {
  it("are the output file and then the error file when it is final", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 4);
    await finishBatch(instance, id, { output: [0, 2], error: [1, 3] });
    const text = await textOf(instance.service.batches.results(project, id));
    expect(text).toBe(
      linesOf(id, [{ line: 0 }, { line: 2 }, { line: 1, fate: "error" }, { line: 3, fate: "error" }]),
    );
  });

  it("are refused before the first when the error file is gone, and not after the output file", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 2);
    await finishBatch(instance, id, { output: [0], error: [1] });
    const { error_file_id } = await instance.service.batches.retrieve(project, id);
    await instance.service.files.delete(project, error_file_id ?? "");
    const results = instance.service.batches.results(project, id)[Symbol.asyncIterator]();
    await expect(results.next()).rejects.toMatchObject({ code: "file_not_found" });
  });

  it("are none before there are any, and of an unknown batch an error", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 1);
    expect(await textOf(instance.service.batches.results(project, id))).toBe("");
    const unknown = instance.service.batches.results(project, `batch_${"0".repeat(32)}`);
    await expect(textOf(unknown)).rejects.toMatchObject({ code: "batch_not_found" });
  });

  it("come from the journal of every shard while it runs, each once", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 3);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 1 }, { line: 0, fate: "error" }] });
    await journalResults(instance, id, { shard: 1, lines: [{ line: 512 }] });
    // The first shard changed hands: what its first holder wrote counts as far as the second has noted it.
    const route = { endpoint: "/v1/embeddings", model: "m0" };
    await instance.control.revokeLeases();
    const [lease] = await instance.control.leaseShards({
      batchId: id,
      ...route,
      holder: "b",
      limit: 1,
      leaseMs: 9e4,
    });
    if (lease === undefined) throw new Error("not leased");
    const { soundBytes } = await instance.journal.scan({ batchId: id, shard: 0, epoch: 1 }, null, () => {});
    await instance.control.noteSegments(lease, [{ epoch: 1, bytes: soundBytes }]);
    const segment = await instance.journal.create({ batchId: id, shard: 0, epoch: 2 }, () => {});
    const entry = { kind: 0, attempts: 1 } as const;
    segment.append({ line: 2, ...entry, payload: [resultLine(id, 2)] });
    await segment.close();
    expect((await textOf(instance.service.batches.results(project, id))).split("\n").sort()).toEqual(
      linesOf(id, [{ line: 0, fate: "error" }, { line: 1 }, { line: 2 }, { line: 512 }])
        .split("\n")
        .sort(),
    );
    expect(lease.epoch).toBe(2);
  });

  it("leave out what stands beyond the noted end of an older segment", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 2);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 0 }, { line: 1 }] });
    const ends: number[] = [];
    await instance.journal.scan({ batchId: id, shard: 0, epoch: 1 }, null, ({ offset, payload }) => {
      ends.push(offset + payload.length);
    });
    const segments = [{ epoch: 1, bytes: ends[0] ?? 0 }];
    await instance.control.finishShard({ batchId: id, shard: 0, epoch: 1 }, segments, nothing);
    expect(await textOf(instance.service.batches.results(project, id))).toBe(linesOf(id, [{ line: 0 }]));
  });

  it("leave out lines that only wait for a repeat: these may have another result in the end", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 2);
    const lines = [{ line: 0, fate: "unfinished" as const }, { line: 1 }];
    await journalResults(instance, id, { shard: 0, lines });
    expect(await textOf(instance.service.batches.results(project, id))).toBe(linesOf(id, [{ line: 1 }]));
  });

  it("leave out what a holder wrote after another had taken its shard, unnoticed by the reader", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 1);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 0 }] });
    const { control, journal } = instance;
    const { scan } = journal;
    journal.scan = async (...segment) => {
      await control.revokeLeases();
      const route = { endpoint: "/v1/embeddings", model: "m0" };
      const [lease] = await control.leaseShards({
        batchId: id,
        ...route,
        holder: "b",
        limit: 1,
        leaseMs: 9e4,
      });
      if (lease !== undefined) await control.noteSegments(lease, [{ epoch: 1, bytes: 0 }]);
      return scan(...segment);
    };
    expect(await textOf(instance.service.batches.results(project, id))).toBe("");
  });

  it("go on from the files when the batch ends and its journal goes while it is read", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 2);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 0 }] });
    const open = instance.journal.open;
    instance.journal.open = async (segment) => {
      await finishBatch(instance, id, { output: [0], error: [1] });
      await instance.journal.remove(id);
      return open(segment);
    };
    const text = await textOf(instance.service.batches.results(project, id));
    expect(text).toBe(linesOf(id, [{ line: 0 }, { line: 1, fate: "error" }]));
  });

  it("are made durable before they are handed out, where their shard is still being written", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 1_000);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 0 }] });
    await journalResults(instance, id, { shard: 1, lines: [{ line: 512 }] });
    const done = { batchId: id, shard: 1, epoch: 1 };
    const { soundBytes } = await instance.journal.scan(done, null, () => {});
    await instance.control.finishShard(done, [{ epoch: 1, bytes: soundBytes }], nothing);
    const synced: number[] = [];
    const open = instance.journal.open;
    instance.journal.open = async (segment) => {
      const reader = await open(segment);
      return {
        ...reader,
        async sync() {
          await reader.sync();
          synced.push(segment.shard);
        },
      };
    };
    const results = instance.service.batches.results(project, id);
    const syncedBefore: number[][] = [];
    for await (const _ of results) syncedBefore.push([...synced]);
    // The first shard is live; the end of the second was noted when it was durable.
    expect(syncedBefore).toEqual([[0], [0]]);
  });

  it("keep coming until it is final when they are followed, and end with the lines that were never tried", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 3);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 1 }] });
    const results = instance.service.batches.results(project, id, { follow: true });
    const iterator = results[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.toString()).toBe(linesOf(id, [{ line: 1 }]));
    await journalResults(instance, id, { shard: 1, lines: [{ line: 2 }] });
    const next = iterator.next();
    instance.engine.tell();
    expect((await next).value?.toString()).toBe(linesOf(id, [{ line: 2 }]));
    await finishBatch(instance, id, { output: [1, 2], error: [0], status: "cancelled" });
    await instance.journal.remove(id);
    const last = iterator.next();
    instance.engine.tell();
    expect((await last).value?.toString()).toBe(linesOf(id, [{ line: 0, fate: "error" }]));
    expect((await iterator.next()).done).toBe(true);
  });

  it.each([true, false])(
    "are whole when the batch ends while its journal is read (followed: %s)",
    async (follow) => {
      const instance = await openTestInstance();
      const id = await createBatch(instance, 2);
      await journalResults(instance, id, { shard: 0, lines: [{ line: 0 }, { line: 1 }] });
      const { journal } = instance;
      const scan = journal.scan;
      journal.scan = async (...args) => {
        const report = await scan(...args);
        await finishBatch(instance, id, { output: [0, 1] });
        await journal.remove(id);
        return report;
      };
      const text = await textOf(instance.service.batches.results(project, id, { follow }));
      expect(text).toBe(linesOf(id, [{ line: 0 }, { line: 1 }]));
    },
  );

  it("of a running batch are an error when its journal is not there", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 1);
    await journalResults(instance, id, { shard: 0, lines: [{ line: 0 }] });
    const { journal } = instance;
    const scan = journal.scan;
    journal.scan = async (...args) => {
      const report = await scan(...args);
      await journal.remove(id);
      return report;
    };
    const results = instance.service.batches.results(project, id, { follow: true });
    await expect(textOf(results)).rejects.toMatchObject({ code: "data_damaged" });
  });

  it("end with an error when the caller gives up", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 1);
    const controller = new AbortController();
    const results = textOf(
      instance.service.batches.results(project, id, { follow: true, signal: controller.signal }),
    );
    controller.abort();
    await expect(results).rejects.toMatchObject({ code: "aborted" });
  });

  it("of a final batch whose file was deleted are an error, not a part of them", async () => {
    const instance = await openTestInstance();
    const id = await createBatch(instance, 1);
    await finishBatch(instance, id, { output: [0] });
    const { output_file_id } = await instance.service.batches.retrieve(project, id);
    await instance.service.files.delete(project, output_file_id ?? "");
    await expect(textOf(instance.service.batches.results(project, id))).rejects.toMatchObject({
      code: "file_not_found",
    });
  });
});
