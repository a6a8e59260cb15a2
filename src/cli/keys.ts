import type { Command } from "commander";
import type { ApiKeyObject } from "../batch/api-key.ts";
import { NerifError } from "../batch/errors.ts";
import { type Opened, openNerif } from "../compose.ts";
import { addOptions, type Config, resolveConfig } from "./config.ts";
import { clusterOptions, sharedStorage } from "./nerif-options.ts";
import type { OptionName } from "./options.ts";
import { dateOf, print, printItem, printJson } from "./show.ts";
import { say } from "./terminal.ts";

const common = ["dataDir", ...clusterOptions, "json"] as const satisfies OptionName[];
const quotaOptions = ["storedBytes", "openUploads", "queuedLines", "requestsPerSecond"] as const;
const createOptions = [...common, "project", "name", "keyEnv", ...quotaOptions] as const;

/** `nerif keys`: who may call the servers of the local data directory, or of a database. */
export function keysCommand(keys: Command): void {
  const create = keys.command("create").description("make a key and print it, this once");
  addOptions(create, createOptions, { json: "print the key and what is known of it as JSON" }).action(add);
  addOptions(keys.command("list").description("list keys, the oldest first"), common).action(list);
  const revoke = keys.command("revoke <key-id>").description("refuse a key from now on");
  addOptions(revoke, common).action(remove);
  keys.addHelpText("after", examples);
}

const examples = `
Examples:
  nerif keys create --name nightly
  nerif keys create --project search --stored-bytes 10GiB --queued-lines 1000000
  nerif keys create --key-env NERIF_ADMIN_KEY
  nerif keys revoke key_6b01f2a0c7d88190a1b2c3d4e5f60718

As soon as there is a key, every call of the HTTP API needs one, at once and for good. A key sees the files and batches
of its project alone; what was made without keys is in the project "default".`;

type Flags = Record<string, unknown>;

async function add(flags: Flags): Promise<void> {
  const { values } = resolveConfig(createOptions, flags);
  await withKeys(values, async (keys) => {
    const { project, name = "key" } = values;
    const quotas = {
      stored_bytes: values.storedBytes,
      open_uploads: values.openUploads,
      queued_lines: values.queuedLines,
      requests_per_second: values.requestsPerSecond,
    };
    const params = { project, name, quotas };
    if (values.keyEnv !== undefined) {
      const object = await keys.admit(keyIn(values.keyEnv), params);
      if (values.json) printJson(object);
      else say(`${object.id} is valid for the project ${object.project}`);
      return;
    }
    const { key, object } = await keys.create(params);
    if (values.json) {
      printJson({ ...object, key });
      return;
    }
    say(`Made ${object.id} for the project ${object.project}. This is the only time that it is shown:`);
    print(key);
  });
}

function keyIn(variable: string): string {
  const key = process.env[variable]?.trim();
  if (key) return key;
  throw new NerifError("invalid_configuration", `Cannot take the key from ${variable}: it is not set`);
}

async function list(flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withKeys(values, async (keys) => {
    for (const key of await keys.list()) printItem(key, { json: values.json, line: keyLine });
  });
}

async function remove(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withKeys(values, async (keys) => {
    const key = await keys.revoke(id);
    if (values.json) printJson(key);
    else say(`Revoked ${key.id} (${key.name})`);
  });
}

/** A key in one line. */
function keyLine({ id, hint, project, name, quotas, created_at, revoked_at }: ApiKeyObject): string {
  const limits = Object.entries(quotas).flatMap(([quota, most]) => (most === null ? [] : `${quota}=${most}`));
  const state = revoked_at === null ? "valid" : `revoked ${dateOf(revoked_at)}`;
  const columns = [id, `sk-nerif-...${hint}`, project, name, dateOf(created_at), ...limits, state];
  return columns.join("  ");
}

async function withKeys(
  values: Config<(typeof common)[number]>["values"],
  use: (keys: Opened["service"]["keys"]) => Promise<void>,
): Promise<void> {
  const opened = await openNerif({
    ...sharedStorage(values),
    dataDir: values.dataDir,
    execute: false,
    command: "nerif keys",
  });
  try {
    await use(opened.service.keys);
  } finally {
    await opened.close();
  }
}
