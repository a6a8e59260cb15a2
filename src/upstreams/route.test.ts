import { expect, test } from "vitest";
import { createModelMatcher } from "./glob.ts";
import { createHttpUpstream } from "./http.ts";
import { createRouter } from "./route.ts";

function upstream(name: string, models: string[] | null) {
  return createHttpUpstream({ name, url: "http://localhost/v1", models, concurrency: 1, env: {} });
}

test("a router picks the first upstream that serves the model", () => {
  const router = createRouter([upstream("small", ["llama-*-8b"]), upstream("all", ["llama-*"])]);
  expect(router.pick("llama-3-8b")?.name).toBe("small");
  expect(router.pick("llama-3-70b")?.name).toBe("all");
  expect(router.pick("gpt-4")).toBeNull();
  expect(router.upstreams.map(({ name }) => name)).toEqual(["small", "all"]);
});

test("a router sends a line without a model to an upstream for every model", () => {
  expect(createRouter([upstream("some", ["a*"]), upstream("all", null)]).pick(null)?.name).toBe("all");
  expect(createRouter([upstream("some", ["a*"])]).pick(null)).toBeNull();
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
