import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { describeFileStoreContract } from "../../test/contracts/file-store.ts";
import { startS3 } from "../../test/support/s3.ts";
import { createS3FileStore } from "./s3.ts";

const mebibyte = 1024 * 1024;

describeFileStoreContract("s3", async (now) => {
  const server = await startS3();
  return createS3FileStore(await server.open(), now && { now });
});

describe("S3 file store", () => {
  it("sends a large file in parts, shows nothing of it before its end, and reads it back by ranges", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte }));
    const content = randomBytes(23 * mebibyte + 11);
    const writer = await store.create("file-large");
    for (let at = 0; at < content.byteLength; at += 300_000)
      await writer.write([content.subarray(at, at + 300_000)]);
    expect(await store.size("file-large")).toBeNull();
    expect(await writer.commit()).toMatchObject({ bytes: content.byteLength });
    expect(countOf(server, "UploadPart")).toBe(5);
    expect(await server.openUploads()).toEqual([]);

    const reader = await store.open("file-large");
    expect(reader.bytes).toBe(content.byteLength);
    const at = 7 * mebibyte - 3;
    expect((await reader.read(at, 1_000)).equals(content.subarray(at, at + 1_000))).toBe(true);
    const streamed = Buffer.concat(await Array.fromAsync(reader.stream()));
    expect(streamed.equals(content)).toBe(true);
  });

  it("holds a writer back while its parts are under way", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte }));
    const gate = Promise.withResolvers<null>();
    server.fault = ({ operation }) => (operation === "UploadPart" ? gate.promise : null);
    const writer = await store.create("file-held");
    let taken = 0;
    const writing = (async () => {
      for (let i = 0; i < 40; i += 1) {
        await writer.write([Buffer.alloc(mebibyte, i)]);
        taken += 1;
      }
    })();
    await requested(server, "UploadPart", 3);
    for (let turn = 0; turn < 100; turn += 1) await new Promise(setImmediate);
    // Three parts under way, one that is being filled, and what may wait before it.
    expect(taken).toBeLessThanOrEqual(23);
    gate.resolve(null);
    await writing;
    expect(await writer.commit()).toMatchObject({ bytes: 40 * mebibyte });
  });

  it("gives the parts of an upload back when its writer aborts, and asks nothing for one without bytes", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte }));
    await (await store.create("file-none")).abort();
    expect(server.requests).toEqual([]);
    const writer = await store.create("file-dropped");
    await writer.write([randomBytes(12 * mebibyte)]);
    await requested(server, "UploadPart", 2);
    await writer.abort();
    expect(countOf(server, "AbortMultipartUpload")).toBe(1);
    expect(await server.openUploads()).toEqual([]);
    expect(await store.size("file-dropped")).toBeNull();
  });

  it("repeats what was refused for the moment, and does no harm with what was carried out twice", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte }));
    const troubles = ["refuse", "lose", "lose-answer"] as const;
    let nth = 0;
    const hit = new Set<string>();
    server.fault = ({ operation, key }) => {
      // Each kind of request fails once, in another way each time.
      if (hit.has(operation + key)) return null;
      hit.add(operation + key);
      nth += 1;
      return troubles[nth % troubles.length] ?? null;
    };
    const small = randomBytes(1_000);
    const large = randomBytes(11 * mebibyte);
    for (const [key, content] of [
      ["file-small", small],
      ["file-large", large],
    ] as const) {
      const writer = await store.create(key);
      await writer.write([content]);
      await writer.commit();
      const reader = await store.open(key);
      expect((await reader.read(0, reader.bytes)).equals(content)).toBe(true);
    }
    expect(hit.size).toBeGreaterThanOrEqual(6);
  });

  it("knows a file as written whose last answer was lost for good", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte, maxAttempts: 2 }));
    server.fault = ({ operation }) => (/^(Complete|PutObject)/.test(operation) ? "lose-answer" : null);
    for (const [key, size] of [
      ["file-small", 10],
      ["file-large", 6 * mebibyte],
    ] as const) {
      const writer = await store.create(key);
      await writer.write([randomBytes(size)]);
      expect(await writer.commit()).toMatchObject({ bytes: size });
      expect(await store.size(key)).toBe(size);
    }
  });

  it("does not take another's file of the same name for its own when its write failed", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ maxAttempts: 1 }));
    const before = await store.create("file-same");
    await before.write([Buffer.from("old")]);
    await before.commit();
    server.fault = ({ operation }) => (operation === "PutObject" ? "lose" : null);
    const writer = await store.create("file-same");
    await writer.write([Buffer.from("new")]);
    await expect(writer.commit()).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  it("reads what lies close together with one request, and a block at the end of the file", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open());
    const content = randomBytes(3 * mebibyte + 17);
    const writer = await store.create("file-a");
    await writer.write([content]);
    await writer.commit();
    const reader = await store.open("file-a");
    server.requests.length = 0;
    for (let at = mebibyte; at < 2 * mebibyte; at += 50_000) {
      expect((await reader.read(at, 300)).equals(content.subarray(at, at + 300))).toBe(true);
    }
    expect(server.requests).toHaveLength(1);
    const across = 2 * mebibyte - 100;
    expect((await reader.read(across, 500_000)).equals(content.subarray(across, across + 500_000))).toBe(
      true,
    );
    expect(server.requests).toHaveLength(2);
    expect((await reader.read(content.byteLength - 20, 500)).equals(content.subarray(-20))).toBe(true);
    expect(server.requests).toHaveLength(3);
  });

  it("goes on reading where a connection broke off", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open());
    const content = randomBytes(8 * mebibyte);
    const writer = await store.create("file-a");
    await writer.write([content]);
    await writer.commit();
    let cuts = 0;
    server.cutAfter = () => (cuts++ < 1 ? 10_000 : null);
    const reader = await store.open("file-a");
    expect((await reader.read(0, 60_000)).equals(content.subarray(0, 60_000))).toBe(true);
    cuts = 0;
    server.cutAfter = () => (cuts++ < 3 ? mebibyte : null);
    const streamed = Buffer.concat(await Array.fromAsync(reader.stream()));
    expect(streamed.equals(content)).toBe(true);
    expect(cuts).toBeGreaterThan(3);
  });

  it("waits for a server that says nothing only so long, and asks again", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ timeouts: { connect: 5_000, idle: 500 } }));
    const hung = new Set<string>();
    server.fault = ({ operation }) => {
      if (hung.has(operation)) return null;
      hung.add(operation);
      return "hang";
    };
    const writer = await store.create("file-a");
    await writer.write([Buffer.from("text")]);
    await writer.commit();
    const reader = await store.open("file-a");
    expect((await reader.read(0, 10)).toString()).toBe("text");
    expect([...hung]).toEqual(["PutObject", "GetObject"]);
  });

  it("refuses to go on reading a file that was replaced meanwhile", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open());
    const put = async (byte: number) => {
      const writer = await store.create("file-a");
      await writer.write([Buffer.alloc(mebibyte, byte)]);
      await writer.commit();
    };
    await put(1);
    const reader = await store.open("file-a");
    await put(2);
    await expect(reader.read(500_000, 10)).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  it("names neither bucket nor answer in an error, and tells a bucket that is gone from a file that is gone", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open({ maxAttempts: 1 }));
    await expect(store.open("file-none")).rejects.toMatchObject({ code: "file_not_found" });
    server.fault = () => "forbid";
    const refusals = [store.open("file-a"), store.size("file-a"), store.delete("file-a")];
    for (const refusal of await Promise.allSettled(refusals)) {
      const { reason } = refusal as PromiseRejectedResult;
      expect(reason).toMatchObject({
        code: "storage_unavailable",
        message: expect.stringMatching(/AccessDenied$/),
      });
      expect(JSON.stringify([reason, reason.cause, reason.cause.message])).not.toMatch(/nerif-test|says no/);
    }
    server.fault = () => null;
    const elsewhere = createS3FileStore(await server.open({ bucket: "not-there" }));
    await expect(elsewhere.open("file-a")).rejects.toMatchObject({ code: "storage_unavailable" });
    await expect(elsewhere.size("file-a")).rejects.toMatchObject({ code: "storage_unavailable" });
  });

  it("breaks off what waits for a server that says nothing when it is closed, and refuses what comes after", async () => {
    const server = await startS3();
    const bucket = await server.open();
    const store = createS3FileStore(bucket);
    server.fault = ({ operation }) => (operation === "ListObjectsV2" ? null : "hang");
    const writer = await store.create("file-hanging");
    await writer.write([Buffer.from("text")]);
    const waiting = [writer.commit(), store.open("file-other"), store.delete("file-other")];
    await requested(server, "PutObject", 1);
    await requested(server, "GetObject", 1);
    await requested(server, "DeleteObjects", 1);
    bucket.close();
    for (const one of await Promise.allSettled(waiting))
      expect(one).toMatchObject({ reason: { code: "shutting_down" } });
    await expect(store.size("file-hanging")).rejects.toMatchObject({ code: "shutting_down" });
    expect(countOf(server, "GetObject")).toBe(1);
  });

  it("gives up uploads that were begun two days ago", async () => {
    const server = await startS3();
    let passed = 0;
    const store = createS3FileStore(await server.open(), { now: () => Date.now() + passed });
    const stuck = await store.create("file-stuck");
    await stuck.write([randomBytes(20 * mebibyte)]);
    await requested(server, "UploadPart", 2);
    await store.removeAbandoned();
    expect(await server.openUploads()).toHaveLength(1);
    passed = 49 * 3_600_000;
    await store.removeAbandoned();
    expect(await server.openUploads()).toEqual([]);
    await stuck.abort();
  });

  it("spares a file without a name for two days longer when it came in parts, which have the time of their begin", async () => {
    const server = await startS3();
    let passed = 2 * 3_600_000;
    const bucket = await server.open({ partBytes: 5 * mebibyte });
    const store = createS3FileStore(bucket, { now: () => Date.now() + passed });
    const writer = await store.create("file-parts");
    await writer.write([randomBytes(6 * mebibyte)]);
    await writer.commit();
    await store.removeUnnamed("file-", async () => []);
    expect(await store.size("file-parts")).toBe(6 * mebibyte);
    passed += 48 * 3_600_000;
    await store.removeUnnamed("file-", async () => []);
    expect(await store.size("file-parts")).toBeNull();
  });

  it("refuses a path of the operator", async () => {
    const server = await startS3();
    const store = createS3FileStore(await server.open());
    await expect(store.create("/tmp/out.jsonl")).rejects.toMatchObject({ code: "invalid_id" });
  });
});

function countOf({ requests }: { requests: { operation: string }[] }, operation: string): number {
  return requests.filter((request) => request.operation === operation).length;
}

async function requested(server: { requests: { operation: string }[] }, operation: string, times: number) {
  while (countOf(server, operation) < times) await new Promise(setImmediate);
}
