import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { UpstreamOptions } from "../compose.ts";
import { concurrencySchema, durationSchema, variableSchema } from "./option-schemas.ts";

export type UpstreamEntry = z.output<typeof upstreamSchema>;

const filled = z.string().trim().min(1, "it is empty");

/** A text, or the name of the variable that holds it. */
const text = z.union([filled, z.strictObject({ env: variableSchema })], "it must be text, or env: VARIABLE");

/** One entry of `upstreams`. What needs more than one look is checked where it is used. */
export const upstreamSchema = z.strictObject({
  name: z.string().min(1),
  url: z.string().min(1),
  api_key_env: variableSchema.optional(),
  models: z
    .union(
      [z.array(z.string().min(1)).min(1), z.record(z.string().min(1), filled.nullable())],
      "it must be a list of globs, or pairs of a glob and the name at the upstream",
    )
    .optional(),
  concurrency: concurrencySchema.optional(),
  limits: z
    .strictObject({
      requests_per_minute: z.number().min(1).max(1e12).optional(),
      tokens_per_minute: z.number().min(1).max(1e12).optional(),
    })
    .optional(),
  headers: z.record(z.string(), text).optional(),
  connect_timeout: durationSchema.optional(),
  request_timeout: durationSchema.optional(),
  proxy: text.optional(),
  ca_file: filled.optional(),
  priority: z.int32("it must be a whole number from -2147483648 to 2147483647").optional(),
  max_share: z.number().gt(0).max(1).optional(),
  off_peak: z.array(filled).optional(),
  target_latency: durationSchema.optional(),
});

/** @param directory that of the configuration file: from there paths in it are meant */
export function upstreamOptions(entry: UpstreamEntry, directory: string): UpstreamOptions {
  const { limits, ca_file: caFile } = entry;
  return {
    name: entry.name,
    url: entry.url,
    apiKeyEnv: entry.api_key_env,
    models: entry.models,
    concurrency: entry.concurrency,
    limits: limits && {
      requestsPerMinute: limits.requests_per_minute,
      tokensPerMinute: limits.tokens_per_minute,
    },
    headers: entry.headers,
    connectTimeoutMs: entry.connect_timeout,
    requestTimeoutMs: entry.request_timeout,
    proxy: entry.proxy,
    priority: entry.priority,
    maxShare: entry.max_share,
    offPeak: entry.off_peak,
    targetLatencyMs: entry.target_latency,
    caFile: caFile === undefined ? undefined : fromDirectory(caFile, directory),
  };
}

function fromDirectory(path: string, directory: string): string {
  return path.startsWith("~/") ? join(homedir(), path.slice(1)) : resolve(directory, path);
}
