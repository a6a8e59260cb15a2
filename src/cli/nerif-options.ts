import type { Logger, NerifOptions } from "../compose.ts";
import type { Config } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import type { OptionName } from "./options.ts";
import { sayIn } from "./terminal.ts";

/** Options of every command that executes batches. */
export const engineOptions = [
  "dataDir",
  "upstream",
  "upstreamApiKeyEnv",
  "concurrency",
  "maxAttempts",
  "requestTimeout",
  "maxLineBytes",
  "strict",
  "cancelGrace",
  "shutdownGrace",
] as const satisfies readonly OptionName[];

/** What many processes share in place of a data directory. */
export const clusterOptions = [
  "databaseUrl",
  "sharedDir",
  "s3Bucket",
  "s3Endpoint",
  "s3PathStyle",
] as const satisfies readonly OptionName[];

type ClusterOption = (typeof clusterOptions)[number];

export function sharedStorage({
  databaseUrl,
  sharedDir,
  s3Bucket,
  s3Endpoint,
  s3PathStyle,
}: Config<ClusterOption>["values"]): Pick<NerifOptions, ClusterOption> {
  return { databaseUrl, sharedDir, s3Bucket, s3Endpoint, s3PathStyle };
}

export type EngineConfig = Config<(typeof engineOptions)[number]>;

/** What the composition root takes, from the options of the command. */
export function nerifOptions({ values, upstreams }: EngineConfig, command: string): NerifOptions {
  return {
    command,
    dataDir: values.dataDir,
    upstream: values.upstream,
    upstreamApiKeyEnv: values.upstreamApiKeyEnv,
    upstreams,
    concurrency: values.concurrency,
    requestTimeoutMs: values.requestTimeout,
    settings: {
      maxAttempts: values.maxAttempts,
      maxLineBytes: values.maxLineBytes,
      strict: values.strict,
      cancelGraceMs: values.cancelGrace,
    },
    onFatal(error) {
      // What the disk holds is unknown from here on; the next start finds out.
      sayIn("red", `nerif: ${error.message}`);
      process.exit(exitCodes.internal);
    },
  };
}

/** A log for the commands that talk to people: only what went wrong. */
export function errorLog(tell: (message: string) => void): Logger {
  return {
    info() {},
    warn: (_fields, message) => tell(message),
    error: (_fields, message) => tell(message),
  };
}
