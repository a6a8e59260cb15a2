import { expect, test } from "vitest";
import { createModelNames } from "./models.ts";

test("a list of globs renames nothing", () => {
  const names = createModelNames(["llama-*"]);
  expect([names.serves("llama-3"), names.serves("gpt-4o"), names.rename]).toEqual([true, false, null]);
});

test("pairs of the same names rename nothing", () => {
  expect(createModelNames({ "llama-*": null }).rename).toBeNull();
});

test("the first glob that fits tells the name at the upstream", () => {
  const names = createModelNames({ "gpt-4o": "large", "gpt-*": "small", "llama-*": null });
  expect(["gpt-4o", "gpt-5-mini", "llama-3"].map((model) => names.rename?.(model))).toEqual([
    "large",
    "small",
    null,
  ]);
  expect(["gpt-4o", "gpt-5-mini", "llama-3", "large", null].map(names.serves)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test("names without wildcards are told for the models that they stand for", () => {
  const names = createModelNames({ "gpt-4o": "large", "gpt-4": "large", "gpt-*": "small" });
  expect(names.aliasesOf("large")).toEqual(["gpt-4o", "gpt-4"]);
  expect(names.aliasesOf("small")).toEqual([]);
});
