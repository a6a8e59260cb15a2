import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { checkImports } from "./check-imports.ts";

const made: string[] = [];

afterEach(() => {
  for (const directory of made.splice(0)) rmSync(directory, { recursive: true });
});

test("checkImports() accepts the arrows of the table", () => {
  expect(
    check({
      "batch/batch.ts": 'import { randomBytes } from "node:crypto";',
      "files/file-store.ts": 'import type { Batch } from "../batch/batch.ts";',
      "files/disk.ts": 'import type { FileStore } from "./file-store.ts";',
      "engine/executor.ts": 'import type { FileStore } from "../files/file-store.ts";',
      "service/batches.ts": 'export { run } from "../engine/executor.ts";',
      "http/routes.ts": 'import { create } from "../service/batches.ts";',
      "cli/simulate.ts": 'import { simulate } from "../upstreams/simulator/server.ts";',
      "upstreams/simulator/server.ts": "",
      "compose.ts": 'import { disk } from "./files/disk.ts";',
      "library/batch.ts": 'import { openNerif } from "../compose.ts";',
      "index.ts": 'export { Batch } from "./library/batch.ts";',
    }),
  ).toEqual([]);
});

test.each([
  ["batch/ids.ts", "../files/file-store.ts"],
  ["engine/executor.ts", "../files/disk.ts"],
  ["engine/executor.ts", "../service/batches.ts"],
  ["service/files.ts", "../files/disk.ts"],
  ["service/files.ts", "../compose.ts"],
  ["http/routes.ts", "../engine/engine.ts"],
  ["cli/run.ts", "../upstreams/simulator/server.ts"],
  ["cli/run.ts", "../index.ts"],
  ["journal/disk.ts", "../files/disk.ts"],
  ["index.ts", "../test/support/x.ts"],
  ["elsewhere/new.ts", "../batch/batch.ts"],
])("checkImports() names the file and the rule when %s imports %s", (file, specifier) => {
  const problems = check({ [file]: `import { x } from "${specifier}";` });
  expect(problems.map((problem) => problem.file)).toEqual([file]);
  expect(problems[0]?.rule).toMatch(/imports|is in no folder/);
});

test("checkImports() sees imports over several lines, re-exports, type imports and late imports", () => {
  const problems = check({
    "batch/a.ts": 'import {\n  one,\n  two,\n} from "../http/x.ts";',
    "batch/b.ts": 'export { one } from "../http/x.ts";',
    "batch/c.ts": 'import type { One } from "../http/x.ts";',
    "batch/d.ts": 'const late = () => import("../http/x.ts");',
    "batch/e.ts": 'import "../http/x.ts";',
    "batch/f.ts": '// import { one } from "../http/x.ts";',
  });
  expect(problems.map((problem) => problem.file)).toEqual(
    ["a", "b", "c", "d", "e"].map((n) => `batch/${n}.ts`),
  );
});

test("checkImports() refuses a cycle of imports but not one of types", () => {
  const cycle = check({
    "batch/a.ts": 'import { b } from "./b.ts";',
    "batch/b.ts": 'import { c } from "./c.ts";',
    "batch/c.ts": 'import { a } from "./a.ts";',
  });
  expect(cycle).toEqual([
    { file: "batch/a.ts", rule: "closes a cycle: batch/a.ts -> batch/b.ts -> batch/c.ts -> batch/a.ts" },
  ]);
  const types = check({
    "batch/a.ts": 'import { b } from "./b.ts";',
    "batch/b.ts": 'import type { A } from "./a.ts";',
  });
  expect(types).toEqual([]);
});

function check(files: Record<string, string>) {
  const src = mkdtempSync(join(tmpdir(), "nerif-imports-"));
  made.push(src);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(src, path)), { recursive: true });
    writeFileSync(join(src, path), `${text}\n`);
  }
  return checkImports(src);
}
