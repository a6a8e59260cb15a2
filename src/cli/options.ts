import { z } from "zod";
import { batchStatuses } from "../batch/batch.ts";
import { parseDuration } from "../batch/duration.ts";
import { limits } from "../batch/limits.ts";
import { parseMoment } from "./moment.ts";
import {
  concurrencySchema,
  fileSize,
  filled,
  lineSize,
  list,
  oneOf,
  onOff,
  parsed,
  parsedPairs,
  positiveDuration,
  rate,
  variableSchema,
  whole,
  windowRange,
} from "./option-schemas.ts";
import { parseSize } from "./sizes.ts";

/** One option of the command. Its flag, environment variable and configuration key follow from its name. */
interface OptionSpec {
  help: string;
  /** What stands for the value in help texts; none for a switch. */
  value?: string;
  short?: string;
  /** Takes text (flag, environment) as well as what a configuration file may hold. */
  schema: z.ZodType;
  default?: unknown;
  /** True: what was given is not repeated when it is refused, since it may well be a key. Default false. */
  secret?: boolean;
  /** The default in words, where the value itself says little. */
  defaultText?: string;
}

/** Every option there is. Durations are in milliseconds, sizes in bytes. */
export const optionTable = {
  config: {
    value: "<file>",
    help: "configuration file",
    schema: filled,
    defaultText: "nerif.config.yaml or .json here",
  },
  dataDir: {
    value: "<dir>",
    help: "where Nerif keeps its data",
    schema: filled,
    defaultText: "~/.nerif/batches",
  },
  databaseUrl: {
    value: "<url>",
    help: "PostgreSQL database in place of the data directory, for many servers and workers: postgres://user@host/name",
    schema: z.string().regex(/^postgres(ql)?:\/\/\S+$/, "it must look like postgres://user@host/name"),
    secret: true,
  },
  sharedDir: {
    value: "<dir>",
    help: "directory that all servers and workers on the database reach, for files and results",
    schema: filled,
  },
  s3Bucket: {
    value: "<bucket>",
    help: "in place of a shared directory: s3://bucket/prefix; keys come from the usual AWS variables",
    schema: filled,
    secret: true,
  },
  s3Endpoint: {
    value: "<url>",
    help: "S3 server other than AWS",
    schema: filled,
    secret: true,
    defaultText: "AWS_ENDPOINT_URL_S3",
  },
  s3PathStyle: {
    help: "name the bucket in the path of S3's URLs, not in the host",
    schema: onOff,
    defaultText: "where there is an endpoint",
  },
  upstream: {
    value: "<url>",
    help: "base URL of the model server, such as http://localhost:8000/v1",
    schema: filled,
    secret: true,
  },
  upstreamApiKeyEnv: {
    value: "<variable>",
    help: "environment variable that holds the model server's key",
    schema: variableSchema,
    secret: true,
  },
  concurrency: {
    value: "<n|min..max|auto>",
    help: "calls in flight at once, per model server: fixed, or learned within a range",
    schema: concurrencySchema,
    default: "auto",
    defaultText: "auto, 1..1000",
  },
  maxAttempts: {
    value: "<n>",
    help: "attempts per line",
    schema: whole(limits.settings.attempts.min, limits.settings.attempts.max),
    default: 5,
  },
  requestTimeout: {
    value: "<duration>",
    help: "longest wait for one answer",
    schema: parsed(positiveDuration),
    default: 600_000,
    defaultText: "10m",
  },
  maxLineBytes: {
    value: "<size>",
    help: "longest line of an input file",
    schema: parsed(lineSize),
    default: 10 * 1024 * 1024,
    defaultText: "10MiB",
  },
  maxFileBytes: {
    value: "<size>",
    help: "largest file through POST /v1/files",
    schema: parsed(fileSize),
    defaultText: "none, 512MiB with --strict",
  },
  strict: {
    help: "OpenAI's own limits and refusals: one url and model per file, 50,000 lines, 200 MiB",
    schema: onOff,
    default: false,
  },
  dedupe: {
    help: "send equal requests once, where equal requests have equal answers: embeddings and temperature 0",
    schema: onOff,
    default: false,
  },
  groupByPrefix: {
    help: "run requests that begin alike one after another, for the model server's prefix cache",
    schema: onOff,
    default: false,
  },
  cancelGrace: {
    value: "<duration>",
    help: "time for calls in flight after a cancel",
    schema: parsed(parseDuration),
    default: 30_000,
    defaultText: "30s",
  },
  shutdownGrace: {
    value: "<duration>",
    help: "time for calls in flight after SIGTERM",
    schema: parsed(parseDuration),
    default: 30_000,
    defaultText: "30s",
  },
  completionWindows: {
    value: "<min..max>",
    help: "completion windows to admit beside 24h, such as 1m..7d",
    schema: parsed(windowRange),
  },
  webhookAllow: {
    value: "<list>",
    help: "receivers of webhooks to admit though they are not public: host names, addresses, ranges such as 10.1.0.0/16",
    schema: list(),
  },
  host: { value: "<address>", help: "address to listen on", schema: filled, default: "127.0.0.1" },
  port: {
    value: "<n>",
    help: "port to listen on; 0 takes a free one",
    schema: whole(0, 65_535),
    default: 8787,
  },
  metricsPort: {
    value: "<n>",
    help: "port to answer /healthz, /readyz and /metrics on; 0 takes a free one",
    schema: whole(0, 65_535),
    defaultText: "none",
  },
  insecure: {
    help: "listen beyond this machine though no API key is asked for",
    schema: onOff,
    default: false,
  },
  corsOrigin: {
    value: "<origin,...>",
    help: "web pages that may use the server, by their exact origins, such as https://app.example.com",
    schema: list(),
    defaultText: "none",
  },
  project: {
    value: "<name>",
    help: "whose files and batches the key sees",
    schema: filled,
    default: "default",
  },
  keyEnv: {
    value: "<variable>",
    help: "environment variable that holds the key, 32 characters or more; unless it is there already. Default: a new one is drawn",
    schema: variableSchema,
    secret: true,
  },
  storedBytes: {
    value: "<size>",
    help: "quota of the key: bytes of files that it may keep",
    schema: parsed(parseSize),
  },
  openUploads: {
    value: "<n>",
    help: "quota of the key: uploads that may be open at once",
    schema: whole(0, 1_000_000_000),
  },
  queuedLines: {
    value: "<n>",
    help: "quota of the key: lines of its batches that may wait to be done",
    schema: whole(0, 1_000_000_000_000),
  },
  requestsPerSecond: {
    value: "<n>",
    help: "quota of the key: requests per second; twice as many may come at once",
    schema: rate(),
  },
  logLevel: {
    value: "<level>",
    help: "trace, debug, info, warn, error, fatal or silent",
    schema: oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    default: "info",
  },
  output: { value: "<file>", short: "-o", help: "where the results go; - is stdout", schema: filled },
  errors: { value: "<file>", help: "where failed lines go; - is stdout", schema: filled },
  limit: { value: "<n>", help: "at most so many", schema: whole(1, 4_000_000_000) },
  deadline: {
    value: "<duration>",
    help: "end after so much running time; what is not done by then is reported as expired",
    schema: parsed(positiveDuration),
  },
  wait: {
    help: "wait where the command would stop: no upstream, a bad key, no credit",
    schema: onOff,
    default: false,
  },
  force: { help: "start anew: forget an earlier run, replace the output", schema: onOff, default: false },
  json: { help: "machine-readable output, one JSON object a line", schema: onOff, default: false },
  server: {
    value: "<url>",
    help: "a Nerif server to ask, with the key in NERIF_API_KEY",
    schema: filled,
    defaultText: "the local data directory",
  },
  after: { value: "<id>", help: "start after this one", schema: filled },
  endpoint: {
    value: "<path>",
    help: "endpoint of the batch",
    schema: filled,
    default: "/v1/chat/completions",
  },
  completionWindow: {
    value: "<window>",
    help: "time that the batch may take",
    schema: filled,
    default: "24h",
  },
  metadata: { value: "<key=value,...>", help: "metadata of the batch", schema: parsedPairs() },
  priority: {
    value: "<1..100>",
    help: "share of the batch beside others of its project; twice as much gets twice the calls",
    schema: whole(1, 100),
    defaultText: "10",
  },
  events: {
    value: "<list>",
    help: "events to tell the receiver of, such as batch.completed,batch.failed",
    schema: list(),
    defaultText: "all",
  },
  name: { value: "<name>", help: "a name for people", schema: filled },
  eventType: { value: "<event>", help: "the event to send", schema: filled, default: "batch.completed" },
  keepOld: { help: "let the old secret sign as well for 24 hours", schema: onOff, default: false },
  status: { value: "<status>", help: "only batches in this status", schema: oneOf(batchStatuses) },
  createdAfter: {
    value: "<time>",
    help: "only batches created later than this: Unix seconds or an ISO date",
    schema: parsed(parseMoment),
  },
  createdBefore: {
    value: "<time>",
    help: "only batches created earlier than this",
    schema: parsed(parseMoment),
  },
  follow: { help: "go on until the batch is final", schema: onOff, default: false },
  olderThan: {
    value: "<duration>",
    help: "what ended longer ago than this",
    schema: parsed(parseDuration),
    default: 30 * 86_400_000,
    defaultText: "30d",
  },
  dryRun: { help: "only say what would be removed", schema: onOff, default: false },
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof optionTable;

type Value<K extends OptionName> = z.output<(typeof optionTable)[K]["schema"]>;

/** The values of some options after all sources were asked; those without a default may be undefined. */
export type OptionValues<N extends OptionName> = {
  [K in N]: (typeof optionTable)[K] extends { default: unknown } ? Value<K> : Value<K> | undefined;
};

export const optionNames = Object.keys(optionTable) as OptionName[];

export function specOf(name: OptionName): OptionSpec {
  return optionTable[name];
}

/** `--max-line-bytes` */
export function flagOf(name: OptionName): string {
  return `--${split(name).join("-")}`;
}

/** `NERIF_MAX_LINE_BYTES` */
export function variableOf(name: OptionName): string {
  return `NERIF_${split(name).join("_").toUpperCase()}`;
}

/** `max_line_bytes` */
export function keyOf(name: OptionName): string {
  return split(name).join("_");
}

function split(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}
