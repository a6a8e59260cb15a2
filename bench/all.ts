import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installCommand } from "../scripts/bundle.ts";
import { pageOf, tableOf } from "./report/page.ts";
import { type Result, readResult, saveResult, surroundings } from "./report/results.ts";
import type { Bench, Row } from "./row.ts";
import { rows } from "./rows.ts";
import { startUpstream } from "./upstream/upstream.ts";

/*
 * Measures, keeps each row under `results/` as soon as it is done, and writes docs/performance.md. Options:
 *
 *   --only NAMES     rows whose names begin so, with commas between; default all but `cluster` and `memory-10000000`
 *   --rounds N       how often the contestants take turns; default 3
 *   --ten-million    these two as well: some 20 minutes more, and 30 GB of disk
 *   --report         runs nothing, writes the page
 */

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "3" },
    "ten-million": { type: "boolean", default: false },
    report: { type: "boolean", default: false },
  },
});

const starts = values.only.split(",");
const wanted = rows.filter(({ name, onlyWhenNamed }) => {
  if (onlyWhenNamed === true && !values["ten-million"] && !starts.includes(name)) return false;
  return starts.some((start) => name.startsWith(start));
});
if (wanted.length === 0)
  throw new Error(`There is no row of that name: ${rows.map(({ name }) => name).join(", ")}`);

if (!values.report) await measureRows(wanted);
const results = rows.flatMap(({ name }) => readResult(name) ?? []);
const page = join(import.meta.dirname, "../docs/performance.md");
const notes = readFileSync(join(import.meta.dirname, "notes.md"), "utf8");
writeFileSync(page, pageOf(results, { notes, names: rows.map(({ name }) => name) }));
console.log(`\n${tableOf(results).join("\n")}\n\nThe page is docs/performance.md.`);

async function measureRows(rows: readonly Row[]): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), "nerif-bench-"));
  process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  const nerif = await installCommand(join(scratch, "package"));
  const upstream = await startUpstream(scratch);
  const bench: Bench = { nerif, upstream, scratch, rounds: Number(values.rounds) };
  try {
    for (const row of rows) saveResult(await measureRow(row, bench));
  } finally {
    upstream.stop();
  }
}

async function measureRow({ name, title, run }: Row, bench: Bench): Promise<Result> {
  console.error(`${name}`);
  const begin = performance.now();
  const around = surroundings();
  const outcome = await run(bench);
  for (const what of outcome.skipped) console.error(`  skipped: ${what}`);
  const minutes = Math.round((performance.now() - begin) / 6_000) / 10;
  return { name, title, ...around, upstream: bench.upstream.name, minutes, ...outcome };
}
