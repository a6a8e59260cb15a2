import type { Command } from "commander";
import { webhookEventTypes } from "../batch/webhook.ts";
import type { WebhookEndpointWithSecret } from "../service/webhooks.ts";
import { withClient } from "./client.ts";
import { addOptions, resolveConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import type { OptionName } from "./options.ts";
import { print, printItem, printJson, printPage, webhookLine } from "./show.ts";
import { say } from "./terminal.ts";

const common = ["server", "dataDir", "json", "webhookAllow"] as const satisfies OptionName[];
const createOptions = [...common, "events", "name"] as const;
const listOptions = [...common, "limit", "after"] as const;
const testOptions = [...common, "eventType"] as const;
const rotateOptions = [...common, "keepOld"] as const;

/** `nerif webhooks`: who is told when a batch ends. */
export function webhooksCommand(webhooks: Command): void {
  addOptions(
    webhooks.command("create <url>").description("add a receiver, and print its signing secret this once"),
    createOptions,
  ).action(create);
  addOptions(webhooks.command("list").description("list receivers, newest first"), listOptions).action(list);
  addOptions(webhooks.command("get <endpoint>").description("show a receiver"), common).action(get);
  addOptions(
    webhooks
      .command("test <endpoint>")
      .description("send a made-up event now, and show what the receiver answers"),
    testOptions,
  ).action(test);
  addOptions(
    webhooks.command("rotate <endpoint>").description("give a receiver a new secret, and print it this once"),
    rotateOptions,
  ).action(rotate);
  addOptions(webhooks.command("delete <endpoint>").description("remove a receiver"), common).action(remove);
  webhooks.addHelpText("after", examples);
}

const examples = `
Examples:
  nerif webhooks create https://hooks.example.net/batches --events batch.completed,batch.failed
  nerif webhooks test whe_6b01f2a0c7d88190a1b2c3d4e5f60718
  nerif webhooks rotate whe_6b01f2a0c7d88190a1b2c3d4e5f60718 --keep-old
  nerif webhooks list --server http://localhost:8787

--webhook-allow counts where events are sent from: give it to nerif serve as well, or set NERIF_WEBHOOK_ALLOW.`;

type Flags = Record<string, unknown>;

async function create(url: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(createOptions, flags);
  const name = values.name ?? (URL.parse(url)?.host || "webhook");
  const event_types = values.events ?? webhookEventTypes;
  await withClient({ ...values, execute: false }, async (client) => {
    showSecret(await client.webhooks.create({ name, url, event_types }), values);
  });
}

async function list(flags: Flags): Promise<void> {
  const { values } = resolveConfig(listOptions, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    const page = await client.webhooks.list({ limit: values.limit, after: values.after });
    printPage(page, { json: values.json, line: webhookLine });
  });
}

async function get(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    printItem(await client.webhooks.retrieve(id), { json: values.json, line: webhookLine });
  });
}

async function test(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(testOptions, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    const result = await client.webhooks.test(id, values.eventType);
    printItem(result, {
      json: values.json,
      line: ({ status_code }) => `The receiver answered ${status_code}`,
    });
    const taken = result.status_code >= 200 && result.status_code < 300;
    if (!taken) process.exitCode = exitCodes.internal;
  });
}

async function rotate(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(rotateOptions, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    showSecret(await client.webhooks.rotate(id, { keepOld: values.keepOld }), values);
  });
}

async function remove(id: string, flags: Flags): Promise<void> {
  const { values } = resolveConfig(common, flags);
  await withClient({ ...values, execute: false }, async (client) => {
    await client.webhooks.delete(id);
    if (values.json) printJson({ id, object: "webhook_endpoint.deleted", deleted: true });
    else say(`Deleted ${id}`);
  });
}

function showSecret(endpoint: WebhookEndpointWithSecret, { json }: { json: boolean }): void {
  printItem(endpoint, { json, line: webhookLine });
  if (json) return;
  print(endpoint.signing_secret);
  say("This is the signing secret; it is not shown again. Receivers take it from OPENAI_WEBHOOK_SECRET");
}
