import { expect, test } from "vitest";
import type { Bucket } from "../s3/bucket.ts";
import { recordKinds } from "./journal.ts";
import { encodeLog } from "./objects-format.ts";
import { createLogTails } from "./objects-tails.ts";

const batchId = "batch_0123456789abcdef0123456789abcdef";

test("indexes are remembered as long as they have few bytes together, however many they are", async () => {
  const segments = 100;
  const entry = { line: 0, kind: recordKinds.output, attempts: 1, payload: [Buffer.from("x")] };
  const { body } = encodeLog(
    Array.from({ length: segments }, (_, shard) => ({
      id: { batchId, shard, epoch: 1 },
      start: 0,
      entries: [entry],
    })),
  );
  let reads = 0;
  const bucket = {
    async *read(_name: string, { start, end }: { start: number; end: number }) {
      reads += 1;
      yield body.subarray(start, end);
    },
  } as unknown as Bucket;
  const tails = createLogTails(bucket, { indexBytes: 10 * (512 + 16 * segments) });
  const look = (nth: number) =>
    tails.indexOf({ batchId, name: `log-${nth}`, bytes: body.byteLength }, "look at results");
  for (let nth = 0; nth < 10; nth += 1) await look(nth);
  for (let nth = 0; nth < 10; nth += 1) await look(nth);
  expect(reads).toBe(10);
  await look(10);
  await look(10);
  await look(1);
  expect(reads).toBe(11);
  await look(0);
  expect(reads).toBe(12);
});
