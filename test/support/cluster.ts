import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CliProcess, type CliResult, killGroup, startCli } from "./cli-process.ts";
import { type KeyedUpstream, startKeyedUpstream } from "./keyed-upstream.ts";
import { type PostgresServer, startPostgres } from "./postgres.ts";
import { startS3 } from "./s3.ts";

type FileSettings = Record<string, string>;

/** A database, a place for files, a model server, and any number of processes on them. */
export interface Cluster extends AsyncDisposable {
  postgres: PostgresServer;
  databaseUrl: string;
  /** Where the files are, as options of the command take it. */
  files: FileSettings;
  upstream: KeyedUpstream;
  /** Starts `nerif serve` and waits until it listens. @param key by which the model server knows it */
  serve(key: string, args?: string[]): Promise<{ process: CliProcess; url: string }>;
  /** Starts `nerif worker` and waits until it executes. */
  worker(key: string, args?: string[]): Promise<CliProcess>;
  /** Runs a command that ends by itself. */
  refused(command: string[], env?: Record<string, string>): Promise<CliResult>;
}

export async function startCluster({
  latencyMs,
  concurrency,
  on = "directory",
}: {
  latencyMs: number;
  /** Calls in flight of each process. */
  concurrency: number;
  /** Where files and results are. Default: a shared directory. */
  on?: "directory" | "s3";
}): Promise<Cluster> {
  const directory = await mkdtemp(join(tmpdir(), "nerif-cluster-"));
  const postgres = await startPostgres();
  const upstream = await startKeyedUpstream({ latencyMs });
  const databaseUrl = await postgres.createDatabase();
  const files: FileSettings = on === "s3" ? await onS3() : { NERIF_SHARED_DIR: join(directory, "shared") };
  const processes: CliProcess[] = [];

  function start(command: string[], key: string, others: Record<string, string> = {}): CliProcess {
    const options = ["--upstream", upstream.url, "--upstream-api-key-env", "MODEL_KEY"];
    const process = startCli(
      [...command, "--json", ...options, "--concurrency", String(concurrency)],
      // As one does it: the URL may hold a password, which everybody sees on the command line.
      {
        cwd: directory,
        group: true,
        env: { NERIF_DATABASE_URL: databaseUrl, ...files, MODEL_KEY: key, ...others },
      },
    );
    processes.push(process);
    return process;
  }

  return {
    ...{ postgres, databaseUrl, files, upstream },
    async serve(key, args = []) {
      const process = start(["serve", "--port", "0", ...args], key);
      await process.printed(/"event":"listening"/);
      const { url } = JSON.parse(process.output().stdout) as { url: string };
      return { process, url };
    },
    async worker(key, args = []) {
      const process = start(["worker", ...args], key);
      await process.printed(/"event":"executing"/);
      return process;
    },
    refused: (command, env) => start(command, "nobody", env).ended,
    async [Symbol.asyncDispose]() {
      await Promise.all(processes.map(killGroup));
      await upstream[Symbol.asyncDispose]();
      await postgres.remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function onS3(): Promise<FileSettings> {
  const { bucket, prefix, endpoint = "" } = (await startS3()).options;
  return {
    NERIF_S3_BUCKET: `s3://${bucket}/${prefix}`,
    NERIF_S3_ENDPOINT: endpoint,
    AWS_ACCESS_KEY_ID: "S3RVER",
    AWS_SECRET_ACCESS_KEY: "S3RVER",
  };
}
