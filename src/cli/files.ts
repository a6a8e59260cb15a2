import type { Command } from "commander";
import { withClient } from "./client.ts";
import { addOptions, resolveConfig } from "./config.ts";
import type { OptionName } from "./options.ts";
import { saveTo } from "./save.ts";
import { fileLine, printItem, printJson, printPage } from "./show.ts";
import { say } from "./terminal.ts";

const common = ["server", "dataDir", "json"] as const satisfies OptionName[];
const listOptions = [...common, "limit", "after"] as const;
const downloadOptions = [...common, "output", "force"] as const;

/** `nerif files`: files of a server or of the local data directory. */
export function filesCommand(files: Command): void {
  addOptions(files.command("upload <path>").description("store a JSONL file of requests"), common).action(
    upload,
  );
  addOptions(files.command("list").description("list files, newest first"), listOptions).action(list);
  addOptions(files.command("get <file>").description("show a file's record"), common).action(get);
  addOptions(
    files.command("download <file>").description("print or save a file's content"),
    downloadOptions,
    { force: "replace the file of -o when it exists" },
  ).action(download);
  addOptions(files.command("delete <file>").description("delete a file"), common).action(remove);
  files.addHelpText("after", examples);
}

const examples = `
Examples:
  nerif files upload requests.jsonl
  nerif files list --limit 10
  nerif files download file-9fQ2kZr7LmW3xTnB5vYcHd -o answers.jsonl
  nerif files delete file-9fQ2kZr7LmW3xTnB5vYcHd --server http://localhost:8787`;

type Flags = Record<string, unknown>;

async function upload(path: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    const file = await client.files.upload(path);
    printItem(file, { json: values.json, line: fileLine });
  });
}

async function list(flags: Flags): Promise<void> {
  const { values } = resolveConfig(listOptions, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    const page = await client.files.list({ limit: values.limit, after: values.after });
    printPage(page, { json: values.json, line: fileLine });
  });
}

async function get(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    const file = await client.files.retrieve(id);
    printItem(file, { json: values.json, line: fileLine });
  });
}

async function download(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(downloadOptions, flags);
  await withClient({ ...values, execute: false }, (client) =>
    saveTo(values.output, client.files.content(id), { force: values.force }),
  );
}

async function remove(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    await client.files.delete(id);
    if (values.json) printJson({ id, object: "file", deleted: true });
    else say(`Deleted ${id}`);
  });
}
