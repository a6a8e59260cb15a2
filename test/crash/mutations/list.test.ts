import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mutations } from "./list.ts";

const root = join(import.meta.dirname, "../../..");

test.each(mutations)("the mutation still fits the sources: $name", ({ file, replace }) => {
  const text = readFileSync(join(root, file), "utf8");
  for (const [search] of replace) expect(text.split(search)).toHaveLength(2);
});
