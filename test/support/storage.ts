import { createHash } from "node:crypto";
import { Worker } from "node:worker_threads";
import type { NerifOptions } from "../../src/compose.ts";

/** A PostgreSQL server and a bucket on which tests keep everything in place of data directories. */
export interface TestCluster {
  /** URL of the server, without a database. */
  postgres: string;
  /** A database with Nerif's tables, which others are copies of. */
  template: string;
  bucket: string;
  s3Endpoint: string;
}

type StorageOptions = Pick<NerifOptions, "dataDir" | "databaseUrl" | "s3Bucket" | "s3Endpoint">;

/** Holds a `TestCluster` as JSON in the project "cluster" (`test/cluster/`), and is not set elsewhere. */
export const clusterVariable = "NERIF_TEST_CLUSTER";

export const s3Keys = { AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER" };

/** Databases that this process made. */
const made = new Set<string>();
let maker: Worker | null = null;

export function testCluster(): TestCluster | null {
  const text = process.env[clusterVariable];
  return text === undefined ? null : JSON.parse(text);
}

/**
 * Where all that use `dataDir` keep everything: there, or, on a cluster, in a database and below a prefix of a bucket
 * that are this directory's own.
 */
export function storageAt(dataDir: string): StorageOptions {
  const cluster = testCluster();
  if (cluster === null) return { dataDir };
  const { postgres, bucket, s3Endpoint } = cluster;
  const name = `d_${createHash("sha256").update(dataDir).digest("hex").slice(0, 20)}`;
  if (!made.has(name)) createDatabase(name, cluster);
  made.add(name);
  return { dataDir, databaseUrl: `${postgres}/${name}`, s3Bucket: `s3://${bucket}/${name}`, s3Endpoint };
}

/** The same for a process: the command takes no notice of its data directory then. */
export function storageEnvironment(dataDir: string): Record<string, string> {
  const { databaseUrl, s3Bucket, s3Endpoint } = storageAt(dataDir);
  if (databaseUrl === undefined || s3Bucket === undefined || s3Endpoint === undefined) return {};
  const nerif = { NERIF_DATABASE_URL: databaseUrl, NERIF_S3_BUCKET: s3Bucket, NERIF_S3_ENDPOINT: s3Endpoint };
  return { ...nerif, ...s3Keys };
}

/** Returns when it is there: processes are started by functions that do not wait. */
function createDatabase(name: string, { postgres, template }: TestCluster): void {
  if (maker === null) {
    maker = new Worker(new URL("make-databases.ts", import.meta.url), { workerData: `${postgres}/postgres` });
    maker.unref();
  }
  const state = new Int32Array(new SharedArrayBuffer(4));
  maker.postMessage({ name, template, state });
  Atomics.wait(state, 0, 0, 30_000);
  if (state[0] !== 1) throw new Error(`There is no database ${name}`);
}
