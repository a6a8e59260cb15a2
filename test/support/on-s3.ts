import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { createS3FileStore } from "../../src/files/s3.ts";
import { createObjectJournal } from "../../src/journal/objects.ts";
import { createEngineFixture, type EngineFixture } from "./engine.ts";
import type { S3Server } from "./s3.ts";
import { type createScriptedUpstream, echo } from "./scripted-upstream.ts";

interface OnS3 {
  path?: string;
  flushIntervalMs?: number;
  maxAttempts?: number;
  now?: () => number;
}

export async function onS3(
  server: S3Server,
  upstream: Parameters<typeof createEngineFixture>[0],
  { path, flushIntervalMs = 200, maxAttempts = 4, now }: OnS3 = {},
): Promise<EngineFixture> {
  const bucket = await server.open({ maxAttempts });
  return createEngineFixture(upstream, {
    files: createS3FileStore(bucket, now && { now }),
    journal: createObjectJournal({ bucket, flushIntervalMs }),
    ...(path === undefined ? {} : { control: await openSqliteControlStore({ path }) }),
  });
}

export function slowEcho(ms: number): Parameters<typeof createScriptedUpstream>[0] {
  return async (call) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return echo(call);
  };
}

export function logsIn({ requests }: S3Server): number {
  return requests.filter(({ operation, key }) => operation === "PutObject" && key.includes("/log-")).length;
}

export function idsOf(results: { custom_id: string }[]): string[] {
  return results.map(({ custom_id }) => custom_id);
}

export function allIds(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `r${i}`);
}
