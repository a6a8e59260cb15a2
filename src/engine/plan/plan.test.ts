import { describe, expect, test } from "vitest";
import { NerifError } from "../../batch/errors.ts";
import { endpoints, limits } from "../../batch/limits.ts";
import type { RequestLine } from "../../batch/request-line.ts";
import type { NewShard } from "../../control/control-store.ts";
import type { FileReader } from "../../files/file-store.ts";
import { createMemoryFileStore } from "../../files/memory.ts";
import { type PlannedLine, readShard, storedEndpoints } from "./plan.ts";
import { createPlanWriter } from "./plan-writer.ts";

describe("a plan", () => {
  test("gives back every record as it was written, at the limits of its fields", async () => {
    const requests: [number, number, RequestLine][] = [
      [0, 0, request()],
      [1, 2 ** 48 - 1, request({ idStart: 2 ** 32 - 4_000, idEnd: 2 ** 32 - 926 })],
      [
        2,
        2 ** 32 + 5,
        request({
          bodyStart: 2 ** 31,
          bodyEnd: 2 ** 32 - 1,
          modelStart: 2 ** 31 + 9,
          modelEnd: 2 ** 31 + 6_155,
        }),
      ],
      [2 ** 32 - 2, 17, request({ modelStart: 0, modelEnd: 0 })],
    ];
    const { plan, shards } = await write(requests);
    const [shard] = shards;
    expect(shards).toEqual([
      { shard: 0, endpoint: "/v1/embeddings", model: "m", firstLine: 0, lines: 4, planOffset: 16 },
    ]);
    const records = await readShard(plan, shard?.planOffset ?? 0);
    expect(records).toEqual(
      requests.map(
        ([line, offset, { idStart, idEnd, modelStart, modelEnd, bodyStart, bodyEnd, endpoint }]) => ({
          ...{ line, offset, idStart, idLength: idEnd - idStart },
          ...{ modelStart, modelLength: modelEnd - modelStart },
          ...{ bodyStart, bodyLength: bodyEnd - bodyStart, endpoint, sums: expect.anything() },
        }),
      ),
    );
  });

  test("has a place for every endpoint", () => {
    expect([...storedEndpoints].sort()).toEqual([...endpoints].sort());
  });

  test("opens a shard when a route's last one is full", async () => {
    const lines = 2 * limits.shardLines + 3;
    const { plan, shards } = await write(Array.from({ length: lines }, (_, i) => [i, 10 * i, request()]));
    expect(shards.map(({ shard, firstLine, lines }) => [shard, firstLine, lines])).toEqual([
      [0, 0, 512],
      [1, 512, 512],
      [2, 1_024, 3],
    ]);
    const read = await Promise.all(shards.map(({ planOffset }) => readShard(plan, planOffset)));
    expect(read.flat().map(({ line }) => line)).toEqual(Array.from({ length: lines }, (_, i) => i));
  });

  test("keeps routes apart, up to the limit, and lets further ones share a shard", async () => {
    const models = limits.routes + 3;
    const requests = Array.from({ length: 2 * models }, (_, i): [number, number, RequestLine] => [
      ...([i, i] as const),
      request({ model: `model-${i % models}` }),
    ]);
    const { plan, shards } = await write(requests);
    expect(shards).toHaveLength(limits.routes + 1);
    for (const shard of shards) {
      const records = await readShard(plan, shard.planOffset);
      const lines = records.map(({ line }) => line);
      if (shard.model === null)
        expect({ lines, endpoint: shard.endpoint }).toEqual({
          lines: [64, 65, 66, 131, 132, 133],
          endpoint: null,
        });
      else expect(lines.map((line) => `model-${line % models}`)).toEqual([shard.model, shard.model]);
    }
  });

  test("keeps one model apart at two endpoints, and no model from any", async () => {
    const { shards } = await write([
      [0, 0, request()],
      [1, 0, request({ endpoint: "/v1/completions" })],
      [2, 0, request({ endpoint: "/v1/moderations" })],
      [3, 0, request({ endpoint: "/v1/moderations", model: null })],
    ]);
    expect(shards.map(({ endpoint, model }) => [endpoint, model])).toEqual([
      ["/v1/embeddings", "m"],
      ["/v1/completions", "m"],
      ["/v1/moderations", "m"],
      ["/v1/moderations", null],
    ]);
  });

  test("names a shard only once its block is written", async () => {
    const files = createMemoryFileStore();
    const writer = await createPlanWriter(files, "plan");
    for (let i = 0; i < limits.shardLines; i += 1) writer.add(planned(i, i));
    expect((await writer.flush()).map(({ shard }) => shard)).toEqual([0]);
    writer.add(planned(512, 512));
    expect(await writer.flush()).toEqual([]);
    expect(await files.size("plan")).toBeNull();
    expect((await writer.commit()).map(({ shard }) => shard)).toEqual([1]);
  });

  test("refuses a line that its records have no room for", async () => {
    const writer = await createPlanWriter(createMemoryFileStore(), "plan");
    writer.add(planned(2 ** 32 - 2, 0));
    expect(() => writer.add(planned(2 ** 32 - 1, 0))).toThrow("a plan has room for 4294967295");
  });

  test("is not there when it was given up", async () => {
    const files = createMemoryFileStore();
    const writer = await createPlanWriter(files, "plan");
    writer.add(planned(0, 0));
    await writer.flush();
    await writer.abort();
    expect(await files.size("plan")).toBeNull();
  });

  test("is refused as damaged after a change to any byte of its block", async () => {
    const { bytes } = await write([
      [0, 0, request()],
      [1, 100, request()],
    ]);
    for (let i = 16; i < bytes.length; i += 1) {
      const damaged = Buffer.from(bytes);
      damaged[i] = (damaged[i] ?? 0) ^ 0x10;
      expect([i, await codeOf(readShard(readerOf(damaged), 16))]).toEqual([i, "data_damaged"]);
    }
  });

  test.each([16, 20, 40, 107])("is refused as damaged when it is cut off after %d bytes", async (length) => {
    const { bytes } = await write([
      [0, 0, request()],
      [1, 100, request()],
    ]);
    expect(await codeOf(readShard(readerOf(bytes.subarray(0, length)), 16))).toBe("data_damaged");
  });

  test("is refused when it is no plan, or one of a later version", async () => {
    const { bytes } = await write([[0, 0, request()]]);
    const other = Buffer.from(bytes);
    other[0] = 0;
    expect(await codeOf(readShard(readerOf(other), 16))).toBe("data_damaged");
    const later = Buffer.from(bytes);
    later[8] = 3;
    expect(await codeOf(readShard(readerOf(later), 16))).toBe("data_too_new");
  });
});

function request(changes: Partial<RequestLine> = {}): RequestLine {
  const places = { idStart: 1, idEnd: 9, modelStart: 30, modelEnd: 33, bodyStart: 20, bodyEnd: 60 };
  return { endpoint: "/v1/embeddings", model: "m", ...places, ...changes };
}

function planned(line: number, offset: number): PlannedLine {
  return { line, offset, request: request(), bytes: Buffer.from("0123456789".repeat(10)) };
}

async function write(
  requests: [number, number, RequestLine][],
): Promise<{ plan: FileReader; bytes: Buffer; shards: NewShard[] }> {
  const files = createMemoryFileStore();
  const writer = await createPlanWriter(files, "plan");
  for (const [line, offset, request] of requests) writer.add({ ...planned(line, offset), request });
  const shards = await writer.commit();
  const plan = await files.open("plan");
  return { plan, shards, bytes: await plan.read(0, plan.bytes) };
}

/** A plan that is only read by position. */
function readerOf(bytes: Buffer): FileReader {
  return {
    bytes: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    async *stream() {
      yield bytes;
    },
    async close() {},
  };
}

async function codeOf(promise: Promise<unknown>): Promise<string | null> {
  return promise.then(
    () => null,
    (error: unknown) => (error instanceof NerifError ? error.code : String(error)),
  );
}
