import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { defaultSettings } from "../engine/settings.ts";
import { createDiskFileStore } from "../files/disk.ts";
import { type FileVerdict, validateFile } from "../service/validate-file.ts";
import { addOptions, resolveConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import type { OptionName } from "./options.ts";
import { firstEndpoint } from "./run-input.ts";
import { inputPath } from "./run-places.ts";
import { errorLine, print, printJson } from "./show.ts";
import { spool } from "./spool.ts";
import { counted, say, sayIn } from "./terminal.ts";

const options = ["strict", "maxLineBytes", "json"] as const satisfies OptionName[];

/** `nerif validate INPUT`: every bad line with its number and code; sends nothing. */
export function validateCommand(command: Command): void {
  command.argument("<input>", "JSONL file of requests; - reads stdin");
  addOptions(command, options)
    .addHelpText("after", examples)
    .action(async (input: string, flags: Record<string, unknown>) => {
      process.exitCode = await validate(input, flags);
    });
}

const examples = `
Examples:
  nerif validate requests.jsonl
  nerif validate requests.jsonl --strict --json | jq -r .line

Exit codes: 0 every line is good; 2 at least one is bad.`;

async function validate(input: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(options, flags);
  const { strict, maxLineBytes } = values;
  const directory = await mkdtemp(join(tmpdir(), "nerif-validate-"));
  try {
    const path = await readablePath(input, directory);
    // Read in place, and by itself: a control store or an upstream would only make the command slower.
    const files = createDiskFileStore(directory);
    const settings = { ...defaultSettings, strict, maxLineBytes };
    const endpoint = await firstEndpoint(path, maxLineBytes);
    const verdict = await validateFile(path, { files, settings, endpoint });
    return tell(verdict, { input, json: values.json });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function readablePath(input: string, directory: string): Promise<string> {
  if (input !== "-") return inputPath(resolve(input), input);
  const copy = await spool(process.stdin, { directory });
  return copy.path;
}

function tell(verdict: FileVerdict, { input, json }: { input: string; json: boolean }): number {
  const { errors, errorCount } = verdict.ok ? { errors: [], errorCount: 0 } : verdict;
  for (const error of errors) {
    if (json) printJson({ event: "invalid_line", ...error });
    else print(errorLine(error));
  }
  const exit_code = verdict.ok ? exitCodes.ok : exitCodes.usage;
  if (json) {
    const total = verdict.ok ? verdict.total : null;
    printJson({ event: "validated", ok: verdict.ok, total, errors: errorCount, exit_code });
  } else if (verdict.ok) sayIn("green", `${input} is good: ${counted(verdict.total, "request")}`);
  else say(`${input} has ${counted(errorCount, "error")}`);
  return exit_code;
}
