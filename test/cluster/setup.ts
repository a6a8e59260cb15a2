import { afterAll, beforeEach, inject } from "vitest";
import { clusterVariable, isOnCluster, s3Keys } from "../support/storage.ts";
import { reasonToStay } from "./local.ts";

// What each test file of the project "cluster" finds: where to keep everything, and which tests are not for it.

process.env[clusterVariable] = JSON.stringify(inject("cluster"));
// The SDK's own chain looks there first.
Object.assign(process.env, s3Keys);

let hasRun = false;

beforeEach(({ task, skip }) => {
  const reason = reasonToStay(task.fullTestName);
  if (reason !== null) skip(reason);
  hasRun = true;
});

// Such tests would run a second time on data directories, and nobody would see it.
afterAll(() => {
  if (!hasRun || isOnCluster()) return;
  throw new Error("No test of this file keeps anything on PostgreSQL and S3: see test/cluster/local.ts");
});
