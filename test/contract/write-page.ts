import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { renderPage } from "./page.ts";
import { resultsFile, type SuiteName, type SuiteResults, suiteNames } from "./results.ts";
import { rows } from "./rows.ts";

// The last step of `npm run test:contract`. Where CI=true it changes nothing, and fails when it would.
const page = fileURLToPath(new URL("../../docs/compatibility.md", import.meta.url));

const entries = suiteNames.map(async (name) => [name, JSON.parse(await readFile(resultsFile(name), "utf8"))]);
const results = Object.fromEntries(await Promise.all(entries)) as Record<SuiteName, SuiteResults>;
const written = renderPage(rows, results);
const committed = await readFile(page, "utf8").catch(() => "");

if (written === committed) {
  console.log("docs/compatibility.md says what was seen");
} else if (process.env.CI === "true") {
  console.error(
    "docs/compatibility.md is not what this run gives; commit what `npm run test:contract` writes",
  );
  process.exitCode = 1;
} else {
  await writeFile(page, written);
  console.log("docs/compatibility.md is written anew");
}
