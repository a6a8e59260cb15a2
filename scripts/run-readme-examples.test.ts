import { globSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runExamples } from "./run-readme-examples.ts";

const root = join(import.meta.dirname, "..");
const pages = globSync("{README.md,docs/*.md}", { cwd: root }).sort();

test.each(pages)("the examples of %s run as they stand", { timeout: 120_000 }, async (page) => {
  const ran = await runExamples(join(root, page));
  if (page === "README.md") expect(ran).toBeGreaterThan(3);
});

test("runExamples() names the line and the output of an example that fails", async () => {
  const page = join(mkdtempSync(join(tmpdir(), "nerif-page-")), "page.md");
  writeFileSync(page, "<!-- example: run -->\n```sh\necho about to fail; exit 7\n```\n");
  await expect(runExamples(page)).rejects.toThrow(/line 2 ended with status 7:\nabout to fail/);
  writeFileSync(page, "<!-- example: run, prints Paris -->\n```sh\necho Rome\n```\n");
  await expect(runExamples(page)).rejects.toThrow(/does not print "Paris" but:\nRome/);
});
