import { beforeEach, inject } from "vitest";
import { clusterVariable, s3Keys } from "../support/storage.ts";
import { reasonToStay } from "./local.ts";

// What each test file of the project "cluster" finds: where to keep everything, and which tests are not for it.

process.env[clusterVariable] = JSON.stringify(inject("cluster"));
// The SDK's own chain looks there first.
Object.assign(process.env, s3Keys);

beforeEach(({ task, skip }) => {
  const reason = reasonToStay(task.fullTestName);
  if (reason !== null) skip(reason);
});
