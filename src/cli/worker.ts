import type { Command } from "commander";
import { NerifError } from "../batch/errors.ts";
import { openNerif } from "../compose.ts";
import { type Observer, observe } from "../http/observe.ts";
import { startExecution } from "../service/execution.ts";
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
  "metricsPort",
  "insecure",
  ...engineOptions,
  ...clusterOptions,
  "webhookAllow",
  "logLevel",
  "json",
] as const satisfies OptionName[];

/** `nerif worker`: executes batches for servers that share a database. */
export function workerCommand(command: Command): void {
  addOptions(command, options, {
    host: "address of --metrics-port",
    json: "say as JSON when it executes",
  })
    .addHelpText("after", examples)
    .action(async (flags: Record<string, unknown>) => {
      await work(flags);
    });
}

const examples = `
Examples:
  nerif worker --database-url postgres://nerif@db/nerif --shared-dir /mnt/nerif --upstream http://gpu-7:8000/v1

Any number of workers and servers on one database and one place for files execute its batches together, several of
them the same one. What a worker held that dies is taken up by others within 15 seconds.

With --metrics-port 9464 it answers /healthz, /readyz and /metrics, as a server does.

SIGTERM and Ctrl-C drain: calls in flight get the shutdown grace, the rest goes to others. A second signal stops at
once.`;

async function work(flags: Record<string, unknown>): Promise<void> {
  const config = resolveConfig(options, flags);
  const { databaseUrl, host, metricsPort, insecure, webhookAllow, logLevel, shutdownGrace, json } =
    config.values;
  if (databaseUrl === undefined) {
    const why = "the batches of a data directory are executed by nerif serve";
    throw new NerifError("invalid_usage", `Cannot work without --database-url: ${why}`);
  }
  const grace = { interruptMs: shutdownGrace, terminateMs: shutdownGrace };
  // The first process of a container would not even be ended by a signal for which it does not listen.
  const started = onStopSignal(grace, () => process.exit(exitCodes.interrupted));
  const log = createLog(logLevel);
  const nerif = await openNerif({
    ...nerifOptions(config, "nerif worker"),
    ...sharedStorage(config.values),
    webhookAllow,
    ignoreOpenAIBaseUrl: true,
    log,
  });
  const stopped = Promise.withResolvers<number>();
  let observer: Observer | null = null;
  // It may have no socket that would keep it alive while there is nothing to do.
  const alive = setInterval(() => {}, 2 ** 30);
  let graceMs = 0;
  try {
    // Without one it could only make batches wait.
    nerif.upstreams();
    if (metricsPort !== undefined)
      observer = await observe(nerif, { host, port: metricsPort, insecure, log });
    await startExecution(nerif);
    started();
    onStopSignal(grace, (graceMs) => {
      say(`Stopping; calls in flight get ${graceMs / 1_000} s. Another signal stops at once`);
      observer?.drain();
      stopped.resolve(graceMs);
    });
    const metrics = observer === null ? {} : { metrics_url: `${observer.url}/metrics` };
    if (json) printJson({ event: "executing", data_dir: nerif.dataDir, ...metrics });
    sayIn("green", `Nerif executes batches; files in ${nerif.dataDir}`);
    if (observer !== null) say(`  health and metrics on ${observer.url}`);
    graceMs = await stopped.promise;
  } finally {
    // To the last moment it says that it stops, and that it is still there.
    await nerif.close({ graceMs }).finally(() => observer?.close());
    clearInterval(alive);
  }
  process.exitCode = exitCodes.ok;
}
