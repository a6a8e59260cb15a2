import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { renderPage } from "./page.ts";
import { resultsFile, resultsVariable, type SuiteName, type SuiteResults, suiteNames } from "./results.ts";
import { rows } from "./rows.ts";

// `npm run test:contract`: all suites, and then the page. Where CI=true the page stays as it is, and has to be right.
const page = fileURLToPath(new URL("../../docs/compatibility.md", import.meta.url));

// Of this run alone: another one beside it, or an earlier one, says nothing about what was seen here.
const directory = mkdtempSync(join(tmpdir(), "nerif-contract-"));
try {
  const { status } = spawnSync("vitest", ["run", "--project", "contract"], {
    stdio: "inherit",
    env: { ...process.env, [resultsVariable]: directory },
  });
  process.exitCode = status === 0 ? publish() : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function publish(): 0 | 1 {
  const results = suiteNames.map((name) => [
    name,
    JSON.parse(readFileSync(resultsFile(directory, name), "utf8")),
  ]);
  const written = renderPage(rows, Object.fromEntries(results) as Record<SuiteName, SuiteResults>);
  if (written === readFileSync(page, "utf8")) {
    console.log("docs/compatibility.md says what was seen");
    return 0;
  }
  if (process.env.CI === "true") {
    console.error(
      "docs/compatibility.md is not what this run gives; commit what `npm run test:contract` writes",
    );
    return 1;
  }
  writeFileSync(page, written);
  console.log("docs/compatibility.md is written anew");
  return 0;
}
