import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { decodeBody } from "./decode.ts";

const MiB = 1024 * 1024;
const bomb = gzipSync(Buffer.alloc(33 * MiB, 0x20));

test("decodeBody holds few bodies in memory when many unfold at once", async () => {
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }, 1);
  const decoded = await Promise.all(
    Array.from({ length: 24 }, () => decodeBody(bomb, { encoding: "gzip", maxBytes: 32 * MiB })),
  );
  clearInterval(timer);
  expect(new Set(decoded)).toEqual(new Set(["too_large"]));
  // All at once would be 768 MiB.
  expect(most).toBeLessThan(300 * MiB);
});

test("decodeBody answers each of many bodies with its own text", async () => {
  const texts = Array.from({ length: 50 }, (_, index) => `{"n":${index}}`);
  const decoded = await Promise.all(
    texts.map((text) => decodeBody(gzipSync(text), { encoding: "gzip", maxBytes: 100 })),
  );
  expect(decoded.map(String)).toEqual(texts);
});
