import { expect, it } from "vitest";
import { startS3 } from "../../test/support/s3.ts";
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
