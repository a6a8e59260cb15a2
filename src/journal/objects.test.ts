import { describe, expect, it } from "vitest";
import { describeJournalContract } from "../../test/contracts/journal.ts";
import { type S3Server, startS3 } from "../../test/support/s3.ts";
import { limits } from "../batch/limits.ts";
import type { Bucket } from "../s3/bucket.ts";
import { type Journal, type JournalEntry, recordKinds, type SegmentId } from "./journal.ts";
import { createObjectJournal } from "./objects.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";
const folder = `journal/${batchId}/`;

describeJournalContract("objects", async () => {
  const server = await startS3();
  return createObjectJournal({ bucket: await server.open(), flushIntervalMs: 1 });
});

describe("journal in an object store", () => {
  it("writes one object for all shards that have answers, and another process reads them before they are closed", async () => {
    const { journal, bucket, other } = await start();
    const writers = await Promise.all([0, 1, 2].map((shard) => begin(journal, segment(shard, 1))));
    for (let line = 0; line < 6; line += 1) writers[line % 3]?.append(line);
    await writers[0]?.durable(2);
    const [log, ...more] = await keysOf(bucket);
    expect(log).toMatch(/log-[0-9a-f]{16}-0-0\.1_1\.1_2\.1$/);
    expect(more).toEqual([]);
    for (let shard = 0; shard < 3; shard += 1) {
      expect(await linesOf(other, segment(shard, 1))).toEqual([shard, shard + 3]);
      expect(await other.epochs(batchId, shard)).toEqual([1]);
    }
  });

  it("lets go of a segment whose batch was removed from under it", async () => {
    const { server, journal } = await start();
    server.fault = ({ operation }) => (operation === "PutObject" ? "hang" : null);
    const writer = await begin(journal, segment(0, 1));
    writer.append(0);
    expect(journal.unflushedBytes).toBeGreaterThan(0);
    await journal.remove(batchId);
    await expect(writer.close()).rejects.toMatchObject({ code: "aborted" });
    expect(journal.unflushedBytes).toBe(0);
  });

  it("gathers what comes while an object is on its way, and sends it when that is there", async () => {
    const { server, journal, bucket } = await start();
    const gate = Promise.withResolvers<null>();
    server.fault = ({ operation }) => (operation === "PutObject" ? gate.promise : null);
    const writer = await begin(journal, segment(0, 1));
    for (let line = 0; line < 10; line += 1) {
      writer.append(line);
      await new Promise(setImmediate);
    }
    expect(writer.lines).toEqual([]);
    gate.resolve(null);
    await writer.durable(10);
    expect(writer.lines).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await keysOf(bucket)).toHaveLength(2);
  });

  it("waits for the interval with a few answers, and not with as many as a shard has", async () => {
    let now = 0;
    const { journal, bucket } = await start({ flushIntervalMs: 3_600_000, monotonic: () => now });
    const writer = await begin(journal, segment(0, 1));
    writer.append(0);
    await writer.durable(1);
    for (let line = 1; line < 512; line += 1) writer.append(line);
    for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    expect(writer.lines).toHaveLength(1);
    writer.append(512);
    await writer.durable(513);
    now = 3_600_000;
    writer.append(513);
    await writer.durable(514);
    expect(await keysOf(bucket)).toHaveLength(3);
  });

  it("tries again what could not be written, says so meanwhile, and leaves one object of it", async () => {
    const problems: string[] = [];
    const { server, journal, bucket, other } = await start({ onProblem: ({ code }) => problems.push(code) });
    const states: boolean[] = [];
    journal.onFlush(() => states.push(journal.stalled));
    let times = 0;
    server.fault = ({ operation }) => (operation === "PutObject" && times++ < 2 ? "lose-answer" : null);
    const writer = await begin(journal, segment(0, 1));
    writer.append(7);
    await writer.durable(1);
    expect(problems).toEqual(["storage_unavailable", "storage_unavailable"]);
    expect(states).toEqual([true, true, false, false]);
    expect(writer.lines).toEqual([7]);
    expect(await keysOf(bucket)).toHaveLength(1);
    expect(await linesOf(other, segment(0, 1))).toEqual([7]);
  });

  it("never counts what an overtaken holder writes behind what its successor has noted", async () => {
    const { journal, other } = await start();
    const id = segment(0, 1);
    const paused = await begin(journal, id);
    paused.append(0);
    await paused.durable(1);
    const noted = (await other.scan(id, null, () => {})).soundBytes;
    paused.append(1);
    await paused.durable(2);
    expect(await linesOf(other, id, noted)).toEqual([0]);
    await paused.close();
    // Nor when it stands as a whole in the end.
    expect(await linesOf(other, id, noted)).toEqual([0]);
    expect(await linesOf(other, id)).toEqual([0, 1]);
  });

  it("keeps a closed segment as one object that one request reads, and removes logs that are not needed", async () => {
    const { server, journal, bucket, other } = await start();
    const [id, slow] = [segment(0, 1), segment(1, 1)];
    const writer = await begin(journal, id);
    for (let line = 0; line < 120; line += 1) {
      writer.append(line);
      await writer.durable(line + 1);
    }
    const still = await begin(journal, slow);
    still.append(500);
    writer.append(120);
    await writer.durable(121);
    const size = await writer.close();
    await until(async () => (await keysOf(bucket)).length < 100);
    const left = await keysOf(bucket);
    expect(left.filter((key) => key.includes("1.1"))).toHaveLength(1);
    expect(left).toContain(`${folder}seg-0-1`);
    server.requests.length = 0;
    expect(await linesOf(other, id, size)).toHaveLength(121);
    expect(server.requests.map(({ operation }) => operation)).toEqual(["GetObject"]);
    expect(await linesOf(other, slow)).toEqual([500]);
  });

  it("goes on reading in the whole of a segment when a log goes that it was reading", async () => {
    const { journal, bucket, other } = await start();
    const id = segment(0, 1);
    const writer = await begin(journal, id);
    writer.append(0, Buffer.alloc(400_000, "a"));
    writer.append(1, Buffer.alloc(400_000, "b"));
    await writer.durable(2);
    const reader = await other.open(id);
    const size = await writer.close();
    const logs = (await keysOf(bucket)).filter((key) => key.includes("/log-"));
    await bucket.remove(logs, "remove logs");
    const bytes = await reader.read(0, size);
    expect(bytes.byteLength).toBe(size);
    expect(bytes.subarray(size - 400_000).equals(Buffer.alloc(400_000, "b"))).toBe(true);
  });

  it("writes segments in pieces that are too large for memory together, and reads them back without their logs", async () => {
    const { server, journal, bucket, other } = await start({ keptBytes: 1_000 });
    const [large, small] = [segment(0, 1), segment(1, 1)];
    const writer = await begin(journal, large);
    const beside = await begin(journal, small);
    beside.append(500);
    await beside.durable(1);
    for (let line = 0; line < 120; line += 1) {
      writer.append(line, Buffer.alloc(100, line));
      await writer.durable(line + 1);
    }
    expect((await keysOf(bucket)).filter((key) => key.includes("/seg-0-1-")).length).toBeGreaterThan(10);
    expect(await linesOf(other, large)).toHaveLength(120);
    const size = await writer.close();
    await until(async () => (await keysOf(bucket)).filter((key) => key.includes("/log-")).length < 100);

    server.requests.length = 0;
    expect(await linesOf(other, large, size)).toEqual(Array.from({ length: 120 }, (_, line) => line));
    // One that is not there, one list, and the pieces.
    expect(server.requests.length).toBeLessThan(20);
    expect(server.requests.filter(({ key }) => key.includes("/log-"))).toEqual([]);
    const reader = await other.open(large);
    expect((await reader.read(0, size)).byteLength).toBe(size);
    await beside.close();
    expect(await keysOf(bucket)).toContain(`${folder}seg-1-1`);
  });

  it("reads a segment from its logs of which a piece could not be written", async () => {
    const { server, journal, other } = await start({ keptBytes: 1_000 });
    let pieces = 0;
    server.fault = ({ key }) => (key.includes("/seg-") && pieces++ === 1 ? "refuse" : null);
    const writer = await begin(journal, segment(0, 1));
    for (let line = 0; line < 40; line += 1) {
      writer.append(line, Buffer.alloc(100, line));
      await writer.durable(line + 1);
    }
    const size = await writer.close();
    expect(await linesOf(other, segment(0, 1), size)).toHaveLength(40);
  });

  it("loses nothing when the whole of a segment cannot be written", async () => {
    const { server, journal, other } = await start();
    server.fault = ({ key }) => (key.includes("/seg-") ? "refuse" : null);
    const writer = await begin(journal, segment(0, 1));
    writer.append(3);
    const size = await writer.close();
    server.fault = () => null;
    expect(await linesOf(other, segment(0, 1), size)).toEqual([3]);
  });

  it.each(["one after another", "at the same time"])(
    "reads each log about once for all segments that a dead worker has left, %s",
    async (how) => {
      const { server, journal, other } = await start();
      const [shards, flushes] = [8, 12];
      const writers = await Promise.all(
        Array.from({ length: shards }, (_, shard) => begin(journal, segment(shard, 1))),
      );
      for (let line = 0; line < flushes; line += 1) {
        for (const writer of writers) writer.append(line, Buffer.alloc(100_000, line));
        await Promise.all(writers.map((writer) => writer.durable(line + 1)));
      }
      server.requests.length = 0;
      const scans = Array.from({ length: shards }, (_, shard) => () => linesOf(other, segment(shard, 1)));
      const found: number[][] = [];
      if (how === "at the same time") found.push(...(await Promise.all(scans.map((scan) => scan()))));
      else for (const scan of scans) found.push(await scan());
      expect(found).toEqual(scans.map(() => Array.from({ length: flushes }, (_, line) => line)));
      const reads = server.requests.filter(
        ({ operation, key }) => operation === "GetObject" && key.includes("/log-"),
      );
      // Its index, and the rest.
      expect(reads.length).toBeLessThanOrEqual(2 * flushes);
    },
  );

  it("reports a log that is gone as damage, and reads what comes behind it", async () => {
    const { journal, bucket, other } = await start();
    const writer = await begin(journal, segment(0, 1));
    for (let line = 0; line < 3; line += 1) {
      writer.append(line);
      await writer.durable(line + 1);
    }
    const keys = await keysOf(bucket);
    await bucket.remove(keys.slice(1, 2), "damage a journal");
    const lines: number[] = [];
    const report = await other.scan(segment(0, 1), null, ({ line }) => lines.push(line));
    expect(lines).toEqual([0, 2]);
    expect(report.damaged).toEqual([{ offset: 64 + 20, length: 20 }]);
  });

  it("refuses an epoch that another process has used", async () => {
    const { journal, other } = await start();
    const writer = await begin(journal, segment(0, 4));
    writer.append(0);
    await writer.durable(1);
    await expect(begin(other, segment(0, 4))).rejects.toMatchObject({ code: "data_damaged" });
    await begin(other, segment(0, 5));
  });

  it("finds the segments of a log with more of them than its name can tell", async () => {
    const { journal, other, bucket } = await start();
    const writers = await Promise.all(
      Array.from({ length: 80 }, (_, shard) => begin(journal, segment(shard, 3))),
    );
    for (const [shard, writer] of writers.entries()) writer.append(shard * 10);
    await writers[0]?.durable(1);
    expect(await keysOf(bucket)).toEqual([expect.stringMatching(/-many$/)]);
    expect(await linesOf(other, segment(77, 3))).toEqual([770]);
    expect(await other.epochs(batchId, 77)).toEqual([3]);
  });

  it("reads what a scan has found by position, also when another that saw less of it ends later", async () => {
    const { server, journal, other } = await start();
    const id = segment(0, 1);
    const writer = await begin(journal, id);
    writer.append(0);
    await writer.durable(1);
    const [slow, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<null>()];
    // The last that a scan asks for, when it has the logs already.
    server.fault = ({ operation, key }) => {
      if (operation !== "ListObjectsV2" || !key.endsWith("seg-0-1-")) return null;
      server.fault = () => null;
      slow.resolve();
      return goOn.promise;
    };
    const early = linesOf(other, id);
    await slow.promise;
    writer.append(1);
    await writer.durable(2);
    const places: { offset: number; length: number }[] = [];
    await other.scan(id, null, ({ offset, payload }) => places.push({ offset, length: payload.length }));
    goOn.resolve(null);
    expect(await early).toEqual([0]);
    const reader = await other.open(id);
    for (const { offset, length } of places) expect(String(await reader.read(offset, length))).toBe("text");
    expect(places).toHaveLength(2);
  });

  it("holds sending back at about a thousand answers that wait, however small they are", async () => {
    const { server, journal } = await start();
    server.fault = ({ operation }) => (operation === "PutObject" ? new Promise(() => {}) : null);
    const writer = await begin(journal, segment(0, 1));
    for (let line = 0; line < 1_023; line += 1) writer.append(line);
    expect(journal.unflushedBytes).toBeLessThan(limits.unflushedBytes);
    writer.append(1_023);
    expect(journal.unflushedBytes).toBeGreaterThanOrEqual(limits.unflushedBytes);
  });

  it("refuses those who wait for a segment to close when it is closed itself", async () => {
    const { server, journal } = await start();
    server.fault = ({ operation }) => (operation === "PutObject" ? "refuse" : null);
    const writer = await begin(journal, segment(0, 1));
    writer.append(0);
    const closing = writer.close();
    journal.close();
    await expect(closing).rejects.toMatchObject({ code: "shutting_down" });
    await expect(begin(journal, segment(0, 2))).rejects.toMatchObject({ code: "shutting_down" });
  });
});

async function start(options: Partial<Parameters<typeof createObjectJournal>[0]> = {}) {
  const server: S3Server = await startS3();
  const bucket = await server.open({ maxAttempts: 1 });
  const journal = createObjectJournal({ bucket, flushIntervalMs: 0, ...options });
  const other = createObjectJournal({ bucket: await server.open() });
  return { server, bucket, journal, other };
}

async function begin(journal: Journal, id: SegmentId) {
  const lines: number[] = [];
  let wake = () => {};
  const writer = await journal.create<JournalEntry>(id, (entries) => {
    lines.push(...entries.map(({ line }) => line));
    wake();
  });
  return {
    lines,
    append: (line: number, text = Buffer.from("text")) =>
      writer.append({ line, kind: recordKinds.output, attempts: 1, payload: [text] }),
    async durable(count: number) {
      while (lines.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close: () => writer.close(),
  };
}

function segment(shard: number, epoch: number): SegmentId {
  return { batchId, shard, epoch };
}

async function linesOf(journal: Journal, id: SegmentId, end: number | null = null): Promise<number[]> {
  const lines: number[] = [];
  const report = await journal.scan(id, end, ({ line }) => lines.push(line));
  expect(report.damaged).toEqual([]);
  return lines;
}

async function keysOf(bucket: Bucket): Promise<string[]> {
  return Array.fromAsync(bucket.list(folder, "look"), ({ key }) => key);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise(setImmediate);
}
