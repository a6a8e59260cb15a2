import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { openNerif } from "../compose.ts";
import { listenFor } from "../http/serve.ts";
import { addOptions, resolveConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { createLog } from "./log.ts";
import { clusterOptions, engineOptions, nerifOptions, sharedStorage } from "./nerif-options.ts";
import type { OptionName } from "./options.ts";
import { printJson } from "./show.ts";
import { onStopSignal } from "./signals.ts";
import { say, sayIn } from "./terminal.ts";

const options = [
  "host",
  "port",
  "insecure",
  "corsOrigin",
  ...engineOptions,
  ...clusterOptions,
  "completionWindows",
  "webhookAllow",
  "maxFileBytes",
  "logLevel",
  "json",
] as const satisfies OptionName[];

/** `nerif serve`: the HTTP server, executing batches in the same process. */
export function serveCommand(command: Command): void {
  addOptions(command, options, { json: "print the address as JSON" })
    .addHelpText("after", examples)
    .action(async (flags: Record<string, unknown>) => {
      await serve(flags);
    });
}

const examples = `
Examples:
  nerif serve --upstream http://localhost:8000/v1
  nerif serve --port 9000 --data-dir /var/lib/nerif --concurrency 256
  nerif serve --database-url postgres://nerif@db/nerif --shared-dir /mnt/nerif

Then point any OpenAI client at it:
  curl http://127.0.0.1:8787/v1/files -F purpose=batch -F file=@requests.jsonl

SIGTERM and Ctrl-C drain: calls in flight get the shutdown grace, batches go on at the next start. A second signal
stops at once.`;

/**
 * How long the search for itself among its upstreams may hold up the word that it listens, in milliseconds. As a rule it
 * is over by then; meanwhile `/v1/models` tells a sign in place of models. An upstream that is busy takes far longer.
 */
const holdUpMs = 250;

async function serve(flags: Record<string, unknown>): Promise<void> {
  const config = resolveConfig(options, flags);
  const {
    host,
    port,
    insecure,
    corsOrigin: corsOrigins,
    completionWindows = null,
    maxFileBytes,
    webhookAllow,
    logLevel,
    shutdownGrace,
    json,
  } = config.values;
  const grace = { interruptMs: shutdownGrace, terminateMs: shutdownGrace };
  // The first process of a container would not even be ended by a signal for which it does not listen.
  const started = onStopSignal(grace, () => process.exit(exitCodes.interrupted));
  const log = createLog(logLevel);
  const built = nerifOptions(config, "nerif serve");
  const nerif = await openNerif({
    ...built,
    settings: { ...built.settings, completionWindows },
    ...sharedStorage(config.values),
    ...{ webhookAllow, maxFileBytes },
    ignoreOpenAIBaseUrl: true,
    log,
  });
  const server = await listenFor(nerif, { host, port, insecure, corsOrigins, log });
  const stopped = Promise.withResolvers<number>();
  let graceMs = 0;
  try {
    await Promise.race([server.started, delay(holdUpMs, undefined, { ref: false })]);
    started();
    onStopSignal(grace, (graceMs) => {
      say(`Stopping; calls in flight get ${graceMs / 1_000} s. Another signal stops at once`);
      stopped.resolve(graceMs);
    });
    if (json) printJson({ event: "listening", url: server.url, data_dir: nerif.dataDir });
    sayIn("green", `Nerif listens on ${server.url}`);
    const key = (await nerif.service.keys.required()) ? ' -H "authorization: Bearer $NERIF_API_KEY"' : "";
    say(
      `  data in ${nerif.dataDir}; try: curl ${server.url}/v1/files${key} -F purpose=batch -F file=@requests.jsonl`,
    );
    graceMs = await Promise.race([stopped.promise, server.started.then(() => stopped.promise)]);
  } finally {
    await server.close({ graceMs });
  }
  process.exitCode = exitCodes.ok;
}
