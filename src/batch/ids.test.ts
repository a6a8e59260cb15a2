import { expect, test } from "vitest";
import { assertId, isId, lineId, newBatchId, newFileId } from "./ids.ts";

test("newFileId() and newBatchId() make ids of the exact shape, each different", () => {
  const files = new Set(Array.from({ length: 500 }, () => newFileId()));
  expect(files.size).toBe(500);
  for (const id of files) expect(isId("file", id)).toBe(true);
  const batch = newBatchId(1_795_300_512);
  expect(isId("batch", batch)).toBe(true);
  expect(batch.slice(6, 14)).toBe((1_795_300_512).toString(16));
});

test("isId() refuses whatever could leave a directory or reach another table", () => {
  const good = newFileId();
  for (const bad of [
    `../${good}`,
    `${good}/`,
    `${good}\0`,
    `${good}\n`,
    "file-",
    "",
    null,
    7,
    [good],
    newBatchId(1),
  ]) {
    expect(isId("file", bad)).toBe(false);
  }
});

test("assertId() names the value, cut short, and the pattern", () => {
  expect(() => assertId("batch", "x".repeat(500), "batch_id")).toThrow(
    /^Cannot use "x{80}" as a batch id: it must match/,
  );
});

test("lineId() is derived, and differs by line and by batch", () => {
  const [a, b] = [newBatchId(1), newBatchId(1)];
  expect(lineId(a, 7)).toBe(lineId(a, 7));
  expect(lineId(a, 7)).toMatch(/^batch_req_[0-9a-f]{32}$/);
  expect(new Set([lineId(a, 7), lineId(a, 8), lineId(b, 7)]).size).toBe(3);
});
