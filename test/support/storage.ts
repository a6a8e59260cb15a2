import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import type { NerifOptions } from "../../src/compose.ts";
import type { Order } from "./make-databases.ts";

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

/** The databases that this process made. */
const made = new Map<string, { dataDir: string; lasts: string }>();
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
  const prefix = createHash("sha256").update(dataDir).digest("hex").slice(0, 20);
  const databaseUrl = `${postgres}/${databaseOf(dataDir, cluster)}`;
  return { dataDir, databaseUrl, s3Bucket: `s3://${bucket}/${prefix}`, s3Endpoint };
}

/** The same for a process: the command takes no notice of its data directory then. */
export function storageEnvironment(dataDir: string): Record<string, string> {
  const { databaseUrl, s3Bucket, s3Endpoint } = storageAt(dataDir);
  if (databaseUrl === undefined || s3Bucket === undefined || s3Endpoint === undefined) return {};
  const nerif = { NERIF_DATABASE_URL: databaseUrl, NERIF_S3_BUCKET: s3Bucket, NERIF_S3_ENDPOINT: s3Endpoint };
  return { ...nerif, ...s3Keys };
}

/** Whether any test of this file keeps something on the cluster. */
export function isOnCluster(): boolean {
  return made.size > 0;
}

/** Made for it, or one whose directory is gone by now: emptying takes less than making. */
function databaseOf(dataDir: string, { postgres, template }: TestCluster): string {
  const known = [...made].find(([, owner]) => owner.dataDir === dataDir);
  if (known !== undefined) return known[0];
  const [free] = [...made].find(([, { lasts }]) => !existsSync(lasts)) ?? [];
  const name = free ?? `test_${process.pid}_${made.size}`;
  prepare(postgres, { name, template: free === undefined ? template : null });
  // What a process would make for itself is in what its test has made.
  made.set(name, { dataDir, lasts: existsSync(dataDir) ? dataDir : dirname(dataDir) });
  return name;
}

/** Returns when it is there: processes are started by functions that do not wait. */
function prepare(postgres: string, order: Omit<Order, "state">): void {
  if (maker === null) {
    maker = new Worker(new URL("make-databases.ts", import.meta.url), { workerData: postgres });
    maker.unref();
  }
  const state = new Int32Array(new SharedArrayBuffer(4));
  maker.postMessage({ ...order, state } satisfies Order);
  Atomics.wait(state, 0, 0, 120_000);
  if (state[0] !== 1) throw new Error(`There is no database ${order.name}`);
}
