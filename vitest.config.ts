import { defineConfig } from "vitest/config";
import { clusterTests } from "./test/cluster/local.ts";

/** PostgreSQL and S3 in place of data directories. */
const onCluster = { globalSetup: "test/cluster/start.ts", setupFiles: "test/cluster/setup.ts" };

const folders = ["src", "test", "scripts", "demo", "bench"];

/**
 * `npm test` runs the project "quick"; `npm run test:ci` runs "long" and "harness", the files named `*.long.test.ts`, and
 * "contract"; then "cluster" and "cluster-contract", which are what keeps something once more on PostgreSQL and S3.
 */
export default defineConfig({
  test: {
    // Most of the time tests wait for processes that they started: a worker for each core, not one fewer.
    maxWorkers: "100%",
    projects: [
      {
        extends: true,
        test: {
          name: "quick",
          include: folders.map((folder) => `${folder}/**/*.test.ts`),
          exclude: ["**/*.long.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "long",
          include: folders.map((folder) => `${folder}/**/*.long.test.ts`),
          exclude: ["test/{crash,simulation}/**"],
          // One file at a time: these start servers and kill them, and count what was in flight.
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          // Hours of kills and simulated troubles in small.
          name: "harness",
          include: ["test/{crash,simulation}/**/*.long.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "cluster",
          ...clusterTests,
          ...onCluster,
          // Long ones are among them.
          testTimeout: 600_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "contract",
          include: ["test/contract/*.contract.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "cluster-contract",
          // Through one SDK: how the others differ has nothing to do with where things are kept.
          include: ["test/contract/node.contract.ts"],
          ...onCluster,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
