/**
 * Seeds that went against a promise once. What a seed stands for changes whenever a world draws its chances in
 * another order; then these are seeds like any others, and each mend keeps the test of its own that stands beside it.
 */
export const regressionSeeds = [
  // A kill before the sync, a start that counted what was there, and a power cut that took it (engine/plan/shard-index.ts).
  2145,
  3088, 21349,
  // The name of the journal's directory, which nobody had synced (journal/disk.ts).
  21812,
  // A life that had lost its shard wrote into a segment that nobody had closed (engine/plan/shard-index.ts).
  2462,
  // Two validations at once: the one that was late removed the shards of the other (engine/run-batch.ts).
  2301,
  // A result file that was replaced after its batch had been given it (engine/run-batch.ts).
  2301,
  // Results asked for while their batch ended (service/results.ts).
  4366,
  // A record that was made although the answer was lost, and whose bytes were removed (service/files.ts).
  5045,
  // Results given of a life that had lost its shard, and of lines that only waited (service/journal-lines.ts).
  342091,
  // A power cut that one life survived on the disk of another: a flaw of the world, mended there (world/world.ts).
  303052,
  306399, 314873, 317800, 321632, 328228, 337175, 337220,
  // A disk that was full for longer than a lease, and answers that waited for room (engine/dispatch/held-lease.ts).
  2003267,
  2003555, 2005509, 2007316,
];

/** Those that take seconds each. */
export const slowRegressionSeeds = [
  // A shard was done although lines of it only waited, and another life completed the batch (engine/dispatch/shard-run.ts).
  305517,
];
