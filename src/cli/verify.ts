import type { Command } from "commander";
import { isId } from "../batch/ids.ts";
import { openNerif } from "../compose.ts";
import { verifyStored } from "../service/verify.ts";
import type { Verification } from "../service/verify-lines.ts";
import type { Problem } from "../service/verify-problems.ts";
import { addOptions, resolveConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import type { OptionName } from "./options.ts";
import { print, printJson } from "./show.ts";
import { counted, formatCount, sayIn } from "./terminal.ts";
import { verifyRun } from "./verify-run.ts";
import { verifyAtServer } from "./verify-server.ts";

const options = [
  "output",
  "errors",
  "server",
  "dataDir",
  "maxLineBytes",
  "json",
] as const satisfies OptionName[];

/** `nerif verify BATCH`: proves that input, output and error file add up. */
export function verifyCommand(command: Command): void {
  command.argument("<batch>", "a batch id, or the input file of a nerif run");
  addOptions(command, options, {
    output: "output of the run, as it was given to nerif run",
    errors: "file for failed lines of the run, as it was given to nerif run",
  });
  command.addHelpText("after", examples).action(async (what: string, flags: Record<string, unknown>) => {
    process.exitCode = await verify(what, flags);
  });
}

const examples = `
Examples:
  nerif verify batch_6b01f2a0c7d88190a1b2c3d4e5f60718
  nerif verify batch_6b01f2a0c7d88190a1b2c3d4e5f60718 --server http://localhost:8787
  nerif verify requests.jsonl -o answers.jsonl

Exit codes: 0 everything adds up; 3 it does not; 2 there is nothing to verify, such as a batch that is not final.`;

async function verify(what: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(options, flags);
  const { server, maxLineBytes, dataDir } = values;
  if (!isId("batch", what)) {
    return tell(await verifyRun(what, { ...values, cwd: process.cwd() }), { what, json: values.json });
  }
  if (server !== undefined)
    return tell(await verifyAtServer(what, { server, maxLineBytes }), { what, ...values });
  const opened = await openNerif({ dataDir, execute: false, command: "nerif verify" });
  try {
    const { control, fileStore: files } = opened;
    return tell(await verifyStored(what, { control, files, maxLineBytes }), { what, ...values });
  } finally {
    await opened.close();
  }
}

function tell(
  { problems, total, succeeded, failed, neverRun, bytes }: Verification,
  { what, json }: { what: string; json: boolean },
): number {
  const ok = problems.count === 0;
  const exit_code = ok ? exitCodes.ok : exitCodes.failedLines;
  for (const problem of problems.first) {
    if (json) printJson({ event: "problem", ...problem });
    else print(problemLine(problem));
  }
  if (json) {
    const lines = { lines: total, succeeded, failed, never_run: neverRun };
    printJson({ event: "verified", ok, ...lines, files: bytes, problems: problems.count, exit_code });
    return exit_code;
  }
  const more = problems.count - problems.first.length;
  if (more > 0) print(`and ${counted(more, "more problem")}`);
  if (!ok) sayIn("red", `${what} does not add up: ${counted(problems.count, "problem")}`);
  else {
    const undone = neverRun > 0 ? `, ${formatCount(neverRun)} never run` : "";
    const done = `${formatCount(succeeded)} succeeded, ${formatCount(failed)} failed${undone}`;
    sayIn("green", `${what} adds up: ${counted(total, "line")}: ${done}`);
  }
  return exit_code;
}

function problemLine({ code, file, line, message }: Problem): string {
  const place = [file ?? "batch", line === null ? null : `line ${line}`].filter((part) => part !== null);
  return `${place.join(" ")}: ${code}: ${message}`;
}
