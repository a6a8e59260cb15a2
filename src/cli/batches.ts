import type { Command } from "commander";
import type { BatchObject } from "../batch/batch.ts";
import { isId } from "../batch/ids.ts";
import { isFinal } from "../batch/lifecycle.ts";
import { withPriority } from "../service/batch-params.ts";
import { tellMs, withClient } from "./client.ts";
import { addOptions, resolveConfig } from "./config.ts";
import { exitCodeOfBatch, exitCodes } from "./exit-codes.ts";
import { engineOptions, nerifOptions } from "./nerif-options.ts";
import type { OptionName } from "./options.ts";
import { saveTo } from "./save.ts";
import { batchLine, batchLines, print, printJson, printPage, progressLines, progressOf } from "./show.ts";
import { onStopSignal } from "./signals.ts";
import { say } from "./terminal.ts";

const common = ["server", "dataDir", "json"] as const satisfies OptionName[];
const createOptions = [
  ...common,
  "endpoint",
  "completionWindow",
  "metadata",
  "priority",
  "completionWindows",
] as const;
const executing = ["server", "json", ...engineOptions, "webhookAllow"] as const;
const filters = ["status", "createdAfter", "createdBefore", "metadata"] as const;
const listOptions = [...common, "limit", "after", ...filters] as const;
const resultOptions = [...common, "follow", "output", "force"] as const;

/** `nerif batches`: batches of a server or of the local data directory. */
export function batchesCommand(batches: Command): void {
  const add = (name: string, { help, options, helps, action }: Subcommand) => {
    const command = addOptions(batches.command(name).description(help), options, helps);
    command.action(async (...given: unknown[]) => {
      const flags = command.opts();
      process.exitCode = await action(typeof given[0] === "string" ? given[0] : "", flags);
    });
  };
  add("create <input>", {
    help: "create a batch of a file id, or of a JSONL file, which is uploaded first",
    options: createOptions,
    action: create,
  });
  add("list", {
    help: "list batches, newest first",
    options: listOptions,
    helps: { metadata: "only batches with all of these pairs" },
    action: list,
  });
  add("get <batch>", { help: "show a batch", options: common, action: get });
  add("cancel <batch>", { help: "cancel a batch", options: executing, action: cancel });
  add("wait <batch>", {
    help: "wait until a batch is final; runs it when no other process does",
    options: executing,
    action: wait,
  });
  add("results <batch>", {
    help: "print the results that are there so far, as JSON lines",
    options: resultOptions,
    helps: { force: "replace the file of -o when it exists" },
    action: results,
  });
  add("retry <batch>", {
    help: "create a batch of the failed, expired and cancelled lines of a final one",
    options: common,
    action: retry,
  });
  batches.addHelpText("after", examples);
}

interface Subcommand {
  help: string;
  options: readonly OptionName[];
  helps?: Partial<Record<OptionName, string>>;
  action: (argument: string, flags: Record<string, unknown>) => Promise<number>;
}

const examples = `
Examples:
  nerif batches create requests.jsonl --metadata team=search --priority 20
  nerif batches list --server http://localhost:8787
  nerif batches list --status failed --created-after 2026-11-01 --metadata team=search
  nerif batches wait batch_6b01f2a0c7d88190a1b2c3d4e5f60718
  nerif batches results batch_6b01f2a0c7d88190a1b2c3d4e5f60718 --follow | jq .custom_id

Exit codes of wait: 0 every line succeeded; 2 the batch failed: its input is bad; 3 some lines failed; 4 cancelled or
expired.`;

async function create(input: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(createOptions, flags);
  const { endpoint, completionWindow: completion_window, completionWindows } = values;
  // Before a file is uploaded for nothing.
  const metadata = withPriority(values.metadata, values.priority);
  return withClient(
    { ...values, execute: false, settings: { completionWindows: completionWindows ?? null } },
    async (client) => {
      const file = isId("file", input) ? { id: input } : await client.files.upload(input);
      const batch = await client.batches.create({
        input_file_id: file.id,
        endpoint,
        completion_window,
        metadata,
      });
      return shown(batch, { ...values, hint: true });
    },
  );
}

async function list(_: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(listOptions, flags);
  return withClient({ ...values, execute: false }, async (client) => {
    const { limit, after, status, createdAfter, createdBefore, metadata } = values;
    const created = { created_after: createdAfter, created_before: createdBefore };
    const page = await client.batches.list({ limit, after, status, ...created, metadata });
    printPage(page, { json: values.json, line: batchLine });
    return exitCodes.ok;
  });
}

async function get(id: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(common, flags);
  return withClient({ ...values, execute: false }, async (client) => {
    const batch = await client.batches.retrieve(id);
    shown(batch, values);
    if (isFinal(batch.status) || values.json) return exitCodes.ok;
    for (const line of progressLines(await client.batches.progress(id))) print(line);
    return exitCodes.ok;
  });
}

async function cancel(id: string, flags: Record<string, unknown>): Promise<number> {
  const config = resolveConfig(executing, flags);
  const { values } = config;
  const { server, webhookAllow } = values;
  const engine = { ...nerifOptions(config, "nerif batches cancel"), server, webhookAllow };
  return withClient({ ...engine, execute: true }, async (client) =>
    shown(await client.batches.cancel(id), values),
  );
}

async function wait(id: string, flags: Record<string, unknown>): Promise<number> {
  const config = resolveConfig(executing, flags);
  const { values } = config;
  const { server, webhookAllow } = values;
  const engine = { ...nerifOptions(config, "nerif batches wait"), server, webhookAllow, execute: true };
  const stop = new AbortController();
  let graceMs = tellMs;
  const forget = onStopSignal({ interruptMs: 5_000, terminateMs: values.shutdownGrace }, (ms) => {
    graceMs = ms;
    stop.abort();
  });
  let saidAt = 0;
  const onProgress = (batch: BatchObject) => {
    if (Date.now() - saidAt < 1_000) return;
    saidAt = Date.now();
    say(`${batch.status}, ${progressOf(batch.request_counts)}`);
  };
  try {
    return await withClient(engine, async (client) => {
      try {
        const batch = await client.batches.wait(id, { signal: stop.signal, onProgress });
        shown(batch, values);
        return exitCodeOfBatch(batch);
      } finally {
        await client.close({ graceMs });
      }
    });
  } finally {
    forget();
  }
}

async function results(id: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(resultOptions, flags);
  const stop = new AbortController();
  const forget = onStopSignal({ interruptMs: 0, terminateMs: 0 }, () => stop.abort());
  return withClient({ ...values, execute: false }, async (client) => {
    const lines = client.batches.results(id, { follow: values.follow, signal: stop.signal });
    await saveTo(values.output, lines, { force: values.force });
    return exitCodes.ok;
  }).finally(forget);
}

async function retry(id: string, flags: Record<string, unknown>): Promise<number> {
  const { values } = resolveConfig(common, flags);
  return withClient({ ...values, execute: false }, async (client) =>
    shown(await client.batches.retry(id), { ...values, hint: true }),
  );
}

function shown(
  batch: BatchObject,
  {
    json,
    server,
    dataDir,
    hint = false,
  }: { json: boolean; server: string | undefined; dataDir: string | undefined; hint?: boolean },
): number {
  if (json) printJson(batch);
  else for (const line of batchLines(batch)) print(line);
  if (hint && server === undefined && !json) {
    const where = dataDir === undefined ? "" : ` --data-dir ${JSON.stringify(dataDir)}`;
    say(`A running nerif serve executes it; so does: nerif batches wait ${batch.id}${where}`);
  }
  return exitCodes.ok;
}
