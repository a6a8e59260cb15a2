import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeInput } from "./input.ts";
import { buildCommand, measure, save, startUpstream } from "./measure.ts";

/**
 * The largest resident set of `nerif run` at growing numbers of lines of 500 bytes: it must not grow with them.
 * Give the line counts as arguments; a million lines need about 3 GB of disk and a few minutes.
 */
const goalMiB = 250;
const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [10_000, 100_000, 1_000_000];
const lineBytes = 500;
const scratch = mkdtempSync(join(tmpdir(), "nerif-bench-"));
const nerif = buildCommand(scratch);
const upstream = await startUpstream();

try {
  const rows = [];
  console.log("| lines | peak RSS MiB | seconds | output MB |\n|---|---|---|---|");
  for (const lines of counts) {
    const input = join(scratch, "input.jsonl");
    const output = join(scratch, "output.jsonl");
    writeInput(input, { lines, lineBytes });
    const usage = await measure(
      [
        nerif,
        ...["run", input, "-o", output, "--upstream", upstream.url, "--data-dir", join(scratch, "data")],
      ],
      { scratch },
    );
    const row = {
      lines,
      peakMiB: Math.round(usage.peakBytes / 2 ** 20),
      seconds: Math.round(usage.seconds),
      outputMB: Math.round(statSync(output).size / 1e6),
    };
    rows.push(row);
    console.log(`| ${row.lines} | ${row.peakMiB} | ${row.seconds} | ${row.outputMB} |`);
    for (const path of [input, output, join(scratch, "data")]) rmSync(path, { recursive: true, force: true });
  }
  save("memory", { lineBytes, goalMiB, rows });
  const worst = Math.max(...rows.map((row) => row.peakMiB));
  console.log(
    worst <= goalMiB ? `At most ${worst} MiB.` : `${worst} MiB is above the goal of ${goalMiB} MiB.`,
  );
  if (worst > goalMiB) process.exitCode = 1;
} finally {
  upstream.stop();
  rmSync(scratch, { recursive: true });
}
