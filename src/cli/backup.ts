import type { Command } from "commander";
import { resolveDataDir } from "../compose.ts";
import { backUpDirectory } from "./backup-directory.ts";
import { addOptions, resolveConfig } from "./config.ts";
import type { OptionName } from "./options.ts";
import { printJson } from "./show.ts";
import { formatSize } from "./sizes.ts";
import { counted, say } from "./terminal.ts";

const options = ["dataDir", "json"] as const satisfies OptionName[];

/** `nerif backup DIR`: the data directory as it is at one moment, also while a server runs. */
export function backupCommand(command: Command): void {
  command.argument("<directory>", "the copy, itself a data directory; must not exist");
  addOptions(command, options)
    .addHelpText("after", examples)
    .action(async (directory: string, flags: Record<string, unknown>) => {
      const { values } = resolveConfig(options, flags);
      const backup = await backUpDirectory(resolveDataDir(values.dataDir), directory);
      const { files, bytes } = backup;
      if (values.json) printJson({ event: "backed_up", ...backup });
      else say(`Backed up ${counted(files, "file")}, ${formatSize(bytes)} in all, to ${backup.directory}`);
    });
}

const examples = `
Examples:
  nerif backup /backups/nerif-$(date +%F)
  nerif serve --data-dir /backups/nerif-2026-11-26 --upstream http://localhost:8000/v1

To restore, serve the copy, or move it to where the data directory was. It goes on where the original was at that moment:
never let both run, or both send what was open. Keys of the configuration and runs of "nerif run" are not in it.`;
