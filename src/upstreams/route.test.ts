import { expect, test } from "vitest";
import { createModelMatcher } from "./glob.ts";
import { createHttpUpstream } from "./http.ts";
import { createRouter } from "./route.ts";
import type { Upstream } from "./upstream.ts";

function upstream(name: string, models: string[] | null) {
  return createHttpUpstream({ name, url: "http://localhost/v1", models, concurrency: 1, env: {} });
}

function namesOf(upstreams: readonly Upstream[]): string[] {
  return upstreams.map(({ name }) => name);
}

test("a router picks all upstreams that serve the model", () => {
  const router = createRouter([upstream("small", ["llama-*-8b"]), upstream("all", ["llama-*"])]);
  expect(namesOf(router.pick("llama-3-8b"))).toEqual(["small", "all"]);
  expect(namesOf(router.pick("llama-3-70b"))).toEqual(["all"]);
  expect(router.pick("gpt-4")).toEqual([]);
  expect(router.upstreams.map(({ name }) => name)).toEqual(["small", "all"]);
});

test("a router sends a line without a model to an upstream for every model", () => {
  const router = createRouter([upstream("some", ["a*"]), upstream("all", null)]);
  expect(namesOf(router.pick(null))).toEqual(["all"]);
  expect(createRouter([upstream("some", ["a*"])]).pick(null)).toEqual([]);
});

test.each([
  [["gpt-4.1"], "gpt-4.1", true],
  [["gpt-4.1"], "gpt-4x1", false],
  [["gpt-4"], "gpt-4o", false],
  [["*/Llama-3*"], "meta-llama/Llama-3.1-8B", true],
  [["a?c"], "abc", true],
  [["a?c"], "ac", false],
  [["a|b"], "a", false],
  [["(x)+[y]$^\\{z}"], "(x)+[y]$^\\{z}", true],
  [["a", "b"], "b", true],
  [["*"], null, true],
  [["*"], "a\nb", true],
  [["???"], "a😀b", true],
  [[], "a", false],
  [[], null, false],
  [null, "anything", true],
] as [string[] | null, string | null, boolean][])("globs %j fit model %j: %j", (globs, model, fits) => {
  expect(createModelMatcher(globs)(model)).toBe(fits);
});
