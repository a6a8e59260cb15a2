import { expect, it } from "vitest";
import { type S3Server, startS3 } from "../../test/support/s3.ts";
import { createS3FileStore } from "../files/s3.ts";

const mebibyte = 1024 * 1024;

it("downloads that nobody goes on reading keep no other request waiting, however many there are", async () => {
  const server = await startS3();
  const bucket = await server.open({ timeouts: { connect: 1_000, idle: 60_000 }, maxAttempts: 1 });
  const store = createS3FileStore(bucket);
  const writer = await store.create("file-large");
  await writer.write([Buffer.alloc(8 * mebibyte)]);
  await writer.commit();
  const reader = await store.open("file-large");
  const downloads = Array.from({ length: 60 }, () =>
    reader.stream({ start: mebibyte, end: reader.bytes })[Symbol.asyncIterator](),
  );
  const begun = await Promise.all(downloads.map((download) => download.next()));
  expect(begun.every(({ value }) => value.byteLength > 0)).toBe(true);

  // What says whether the store is there, what keeps an answer, and what begins a batch.
  expect(await store.size("ready")).toBeNull();
  await bucket.put("journal/batch/0", Buffer.from("answer"), "keep results");
  expect((await store.open("file-large")).bytes).toBe(8 * mebibyte);
  await Promise.all(downloads.map((download) => download.return?.()));
});

it("clients' uploads have one part each, share the room for more, and give it back however they end", async () => {
  const server = await startS3();
  const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte, sharedBytes: 25 * mebibyte }));
  const gate = Promise.withResolvers<null>();
  server.fault = ({ operation }) => (operation === "UploadPart" ? gate.promise : null);
  let taken = 0;
  const uploads = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      const writer = await store.create(`file-${index}`, { waits: true });
      const written = (async () => {
        for (let piece = 0; piece < 17; piece += 1) {
          await writer.write([Buffer.alloc(mebibyte, index)]);
          taken += 1;
        }
      })();
      return { writer, written };
    }),
  );
  await requested(server, "UploadPart", 10 + 5);
  await settled();
  // What is counted has also what waits in front of the parts.
  expect(taken).toBeLessThan(15 * 5 + 15);

  // The engine waits for nobody.
  const engine = await store.create("file-engine");
  await engine.write([Buffer.alloc(6 * mebibyte)]);
  await requested(server, "UploadPart", 16);
  gate.resolve(null);
  await engine.commit();

  const [kept, ...others] = uploads;
  await Promise.all(others.map(({ writer, written }) => written.then(writer.abort)));
  expect(await kept?.written.then(kept.writer.commit)).toMatchObject({ bytes: 17 * mebibyte });
  expect(await server.openUploads()).toEqual([]);
});

it("an upload goes on beside any number of slow ones", async () => {
  const server = await startS3();
  const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte, sharedBytes: 0 }));
  const slow = await Promise.all(
    Array.from({ length: 20 }, (_, index) => store.create(`file-slow-${index}`, { waits: true })),
  );
  for (const writer of slow) await writer.write([Buffer.alloc(1_000)]);
  await settled();
  const quick = await store.create("file-quick", { waits: true });
  for (let piece = 0; piece < 12; piece += 1) await quick.write([Buffer.alloc(mebibyte)]);
  expect(await quick.commit()).toMatchObject({ bytes: 12 * mebibyte });
  await Promise.all(slow.map((writer) => writer.abort()));
});

it("an upload that waits for room is given up at once, and the bucket can be closed around it", async () => {
  const server = await startS3();
  const bucket = await server.open({ partBytes: 5 * mebibyte, sharedBytes: 0 });
  const store = createS3FileStore(bucket);
  const gate = Promise.withResolvers<null>();
  server.fault = ({ operation }) => (operation === "UploadPart" ? gate.promise : null);
  const [left, closed] = await Promise.all(
    ["left", "closed"].map((name) => store.create(`file-${name}`, { waits: true })),
  );
  if (left === undefined || closed === undefined) throw new Error("Unreachable");
  for (const writer of [left, closed]) {
    writer.write([Buffer.alloc(5 * mebibyte + 1_000)]).catch(() => {});
  }
  await requested(server, "UploadPart", 2);
  await settled();
  const leaving = left.abort();
  const closing = closed.commit();
  await settled();
  bucket.close();
  await expect(closing).rejects.toMatchObject({ code: "shutting_down" });
  gate.resolve(null);
  await leaving;
});

it("a file that needs more parts than there may be is refused for good, with its limit", async () => {
  const server = await startS3();
  const store = createS3FileStore(await server.open({ partBytes: 5 * mebibyte, mostParts: 2 }));
  const fits = await store.create("file-fits");
  await fits.write([Buffer.alloc(10 * mebibyte)]);
  expect(await fits.commit()).toMatchObject({ bytes: 10 * mebibyte });
  const writer = await store.create("file-large");
  await writer.write([Buffer.alloc(10 * mebibyte)]);
  await expect(writer.write([Buffer.alloc(1)])).rejects.toMatchObject({
    code: "file_too_large",
    message: `Cannot write file file-large: it has more than ${10 * mebibyte} bytes, the most that the object store takes of one file`,
  });
  await writer.abort();
  expect(await server.openUploads()).toEqual([]);
});

/** What was begun has gone as far as it goes without an answer. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
}

async function requested(server: S3Server, operation: string, times: number): Promise<void> {
  await server.seen(
    () => server.requests.filter((request) => request.operation === operation).length >= times,
  );
}
