import { expect, test } from "vitest";
import { examplesOf } from "./examples-of.ts";

const fence = "```";

test("examplesOf() reads what the comment above a block says", () => {
  const page = [
    "<!-- example: file a.jsonl -->",
    `${fence}jsonl\n{}\n${fence}`,
    `<!-- example: run, prints 2 done -->\n${fence}sh\nnerif run a.jsonl\n${fence}`,
    `<!-- example: serve -->\n${fence}sh\nnerif serve\n${fence}`,
    `<!-- example: not run, it installs -->\n${fence}sh\nnpm i\n${fence}`,
    `${fence}json\n{ "only": "shown" }\n${fence}`,
  ].join("\n");
  expect(examplesOf(page)).toEqual([
    { kind: "file", name: "a.jsonl", code: "{}\n", line: 2, language: "jsonl" },
    { kind: "run", prints: "2 done", code: "nerif run a.jsonl\n", line: 6, language: "sh" },
    { kind: "serve", code: "nerif serve\n", line: 10, language: "sh" },
    { kind: "not run", code: "npm i\n", line: 14, language: "sh" },
  ]);
});

test.each([
  ["a block that could be run has no comment", `${fence}ts\nawait 1;\n${fence}`],
  ["the comment means nothing", `<!-- example: perhaps -->\n${fence}sh\nls\n${fence}`],
  ["a block has no end", `<!-- example: run -->\n${fence}sh\nls`],
])("examplesOf() throws when %s", (_when, page) => {
  expect(() => examplesOf(page)).toThrow(/line 1|line 2/);
});
