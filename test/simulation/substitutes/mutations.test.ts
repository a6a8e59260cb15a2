import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { mutations } from "./mutations.ts";

test.each(Object.entries(mutations))("still fits the sources: %s", (_, { file, find }) => {
  const source = readFileSync(new URL(`../../../src/${file}`, import.meta.url), "utf8");
  expect(source.split(find)).toHaveLength(2);
});
