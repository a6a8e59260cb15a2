const run = "`nerif run` keeps everything on its own machine";
const example = "an example for one machine, which names no place for what it keeps";
const command = "without `--server` these commands work on a data directory";

/**
 * What the project "cluster" leaves out, with the reason: tests of what only a data directory has, and tests in which
 * nothing is kept.
 */
const localFiles: Readonly<Record<string, string>> = {
  "test/e2e/cluster*.test.ts": "starts a cluster of its own",
  "test/e2e/compile-cache.test.ts": "nothing is kept",
  "test/e2e/costs.long.test.ts": "starts a cluster of its own",
  "test/e2e/data-directory.test.ts": "about the files of a data directory, and its lock",
  "test/e2e/embeddings.long.test.ts": "about a model, and starts its server by itself",
  "test/e2e/help-command.test.ts": "nothing is kept",
  "test/e2e/kill.long.test.ts":
    "what a kill may repeat depends on where results are: cluster.long.test.ts and s3-kill.long.test.ts have theirs",
  "test/e2e/lost-output.test.ts": "nothing is kept",
  "test/e2e/package.long.test.ts": "nothing is kept",
  "test/e2e/rolling-restart.long.test.ts": "starts a cluster of its own",
  "test/e2e/run*.test.ts": run,
  "test/e2e/s3*.test.ts": "starts a bucket of its own",
  "test/e2e/side-by-side.test.ts": run,
  "test/e2e/uploads-kill.test.ts": "kills at changes of files in a data directory",
  "test/e2e/uploads.long.test.ts":
    "its 200 MiB are a data directory's: on S3 each file on its way takes 32 MiB, and 64 are kept of what was read",
  "test/e2e/worker-health.test.ts": "starts a cluster of its own",
};

/** By the name of a test, with those of the groups that it is in, or by the name of a group. */
const localTests: Readonly<Record<string, string>> = {
  nerif: "nothing is kept",
  "nerif validate": "nothing is kept",
  "nerif batches and nerif files > work on the data directory: create, wait, results, retry, delete": command,
  "nerif serve > refuses a data directory that another process executes, naming it": "several may execute",
  "nerif serve > runs beside nerif run in one data directory": run,
  "nerif prune": "for data directories",
  "nerif files lists page by page what was uploaded to the data directory": command,
  "the same filters > are options of the command at the data directory": command,
  "--priority": "nothing is kept",
  "--priority of new batches at the data directory": command,
  "--priority of a run": run,
  "nerif webhooks > creates, lists, tests, rotates and deletes at the data directory": command,
  "nerif webhooks > refuses a receiver that is not public unless it is admitted, and a list that cannot be read":
    command,
  "nerif batches wait": command,
  "nerif run": run,
  "nerif verify of a run": run,
  "nerif verify of a batch > proves one of a data directory beside its server": command,
  "examples/quick-start.ts runs two endpoints in one batch": example,
  "examples/summarize-files.ts prints a summary of each of its texts": example,
  "an upstream of the configuration of a run": run,
  "a process that waits becomes the executor when the server is killed":
    "counts the calls of processes of which one executes at a time",
  "a process that has something else to do becomes the executor when the other one is killed":
    "counts the calls of processes of which one executes at a time",
  "results of a batch > of a running batch are an error when its journal is not there":
    "what was found of a segment in S3 is read without another look, so that it cannot be gone",
  "serve refuses data that another one serves already": "several may execute",
};

export const localNames = Object.keys(localTests);

/** Why a test is not for a cluster, or null. @param name its own, behind those of the groups that it is in */
export function reasonToStay(name: string): string | null {
  const found = Object.entries(localTests).find(
    ([local]) => name === local || name.startsWith(`${local} > `),
  );
  return found?.[1] ?? null;
}

/** Files that run both on a data directory and on PostgreSQL and S3. */
export const clusterTests = {
  include: [
    "test/e2e/**/*.test.ts",
    "src/engine/upkeep/sweep.test.ts",
    "src/http/observe.test.ts",
    "src/library/files.test.ts",
    "src/server.test.ts",
    "src/service/{answer-once,batches,files,keys,quotas,results,retry}.test.ts",
  ],
  exclude: Object.keys(localFiles),
};
