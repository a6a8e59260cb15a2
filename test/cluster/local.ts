/**
 * What the project "cluster" leaves out, with the reason: tests of what only one machine with a data directory has, and
 * tests in which nothing is kept.
 */
const localFiles: Readonly<Record<string, string>> = {
  "test/e2e/cluster.long.test.ts": "starts a database and buckets of its own",
  "test/e2e/cluster-options.test.ts": "nothing is kept",
  "test/e2e/compile-cache.test.ts": "nothing is kept",
  "test/e2e/data-directory.test.ts": "about the files of a data directory, and its lock",
  "test/e2e/embeddings.long.test.ts": "about a model",
  "test/e2e/fuzz.long.test.ts": "about paths that a server opens below its data directory",
  "test/e2e/help-command.test.ts": "nothing is kept",
  "test/e2e/kill.long.test.ts":
    "kills one process that starts again at once; cluster.long.test.ts kills one of several",
  "test/e2e/library-examples.test.ts": "examples of the library with its default directory",
  "test/e2e/package.long.test.ts": "about the package",
  "test/e2e/run-*.test.ts": "`nerif run` keeps everything on its own machine",
  "test/e2e/run.test.ts": "`nerif run` keeps everything on its own machine",
  "test/e2e/s3*.test.ts": "starts a bucket of its own",
  "test/e2e/side-by-side.test.ts": "`nerif run` keeps everything on its own machine",
  "test/e2e/uploads-kill.test.ts": "kills at changes of files in a data directory",
  "test/e2e/verify.test.ts": "`nerif run` keeps everything on its own machine",
};

/** By the names of tests with those of what they are in. */
export const localTests: Readonly<Record<string, string>> = {};

/** Files that run both on a data directory and on PostgreSQL and S3. */
export const clusterTests = {
  include: [
    "test/e2e/**/*.test.ts",
    "src/service/*.test.ts",
    "src/http/**/*.test.ts",
    "src/library/*.test.ts",
    "src/server.test.ts",
  ],
  exclude: Object.keys(localFiles),
};
