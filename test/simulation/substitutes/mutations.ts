/** A promise that is broken on purpose: the simulation must notice. */
export interface Mutation {
  /** Below `src/`. */
  file: string;
  /** Exact text, which must be there once. */
  find: string;
  replace: string;
  /** A world in which it shows; the search begins there, since a seed may come to stand for another world. */
  seed: number;
}

export const mutations: Record<string, Mutation> = {
  "no epoch check": {
    file: "control/shard-queries.ts",
    find: '.where("epoch", "=", epoch)\n    .where("state", "=", "leased")',
    replace: '.where("state", "=", "leased")',
    seed: 3267,
  },
  "no version check": {
    file: "control/batch-queries.ts",
    find: '.where("version", "=", version)\n',
    replace: "\n",
    seed: 3108,
  },
  "counts before the sync": {
    file: "journal/disk.ts",
    find: "sync: fdatasync,",
    replace: "sync: (_fd, done) => void setImmediate(done, null),",
    seed: 3132,
  },
  "no checksum of records": {
    file: "journal/record.ts",
    find: "return crc32(window.subarray(at + 8, at + recordHeaderBytes + length)) === window.readUInt32LE(at + 4);",
    replace: "return window.length >= at + length;",
    seed: 130000,
  },
  "no sync of a segment's name": {
    file: "journal/disk.ts",
    find: "await syncDirectory(join(directory, id.batchId), failedSync);\n      } catch",
    replace: "await Promise.resolve();\n      } catch",
    seed: 3125,
  },
  "no sync of the journal's own name": {
    file: "journal/disk.ts",
    find: "root ??= prepareDirectory(directory, failedSync);",
    replace: "root ??= Promise.resolve();",
    seed: 3265,
  },
  "no sync of a file": {
    file: "files/disk-writer.ts",
    find: "await fatalIf(calls.sync(handle), (errno) => !isFull(errno));",
    replace: "",
    seed: 3004,
  },
  "no sync of a file's name": {
    file: "files/disk-writer.ts",
    find: "await fatalIf(syncDirectory(dirname(path)), () => true);",
    replace: "",
    seed: 3004,
  },
  "attempts are not counted": {
    file: "engine/dispatch/retry.ts",
    find: 'case "aborted":\n      if (options.circuitOpen) return again;\n      history.attempts += 1;',
    replace: 'case "aborted":\n      if (options.circuitOpen) return again;\n      history.attempts += 0;',
    seed: 3013,
  },
  "attempts count twice": {
    file: "engine/dispatch/retry.ts",
    find: 'case "aborted":\n      if (options.circuitOpen) return again;\n      history.attempts += 1;',
    replace: 'case "aborted":\n      if (options.circuitOpen) return again;\n      history.attempts += 2;',
    seed: 3013,
  },
  "segments of the dead are not read": {
    file: "engine/plan/shard-index.ts",
    find: "await unnotedEpochs(shard, { journal, below });",
    replace: "await unnotedEpochs(shard, { journal, below: 0 });",
    seed: 3021,
  },
  "older epochs stay open": {
    file: "engine/plan/shard-index.ts",
    find: "for (const { epoch } of unnoted) index",
    replace: "for (const { epoch } of unnoted) if (soundBytes.has(epoch)) index",
    seed: 9809,
  },
  "what a failed sync has left is only synced": {
    file: "journal/disk.ts",
    find: "await writeAgain(handle, { buffer, from, until: offset });",
    replace: "",
    seed: 2134855,
  },
  "leases lapse while the disk is full": {
    file: "engine/dispatch/held-lease.ts",
    find: "return !options.alone && clock.monotonic() >= until;",
    replace: "return clock.monotonic() >= until;",
    seed: 2003555,
  },
  "validations have no version": {
    file: "control/shard-queries.ts",
    find: "if (version === undefined) return true;",
    replace: "return true;",
    seed: 100496,
  },
  "bytes go when it is unknown whether their record is there": {
    file: "service/staged-bytes.ts",
    find: "if (isUnknown(reason)) end();",
    replace: "",
    seed: 3203,
  },
  "a line that was refused is sent again": {
    file: "engine/dispatch/shard-run.ts",
    find: "return result === undefined || result.kind === recordKinds.unfinished;",
    replace: "return result === undefined || result.kind !== recordKinds.output;",
    seed: 3057,
  },
  "news of the end comes after the end": {
    file: "engine/transition.ts",
    find: "event: newsOf(batch.id, { patch, now }),",
    replace: 'event: patch.status === "expired" ? null : newsOf(batch.id, { patch, now }),',
    seed: 3310,
  },
  "an expiry is not looked at": {
    file: "engine/run-batch.ts",
    find: "return batch.expires_at !== null && batch.expires_at <= unixSeconds(clock);",
    replace: "return batch.expires_at === unixSeconds(clock) - 1e9;",
    seed: 3008,
  },
  "a file in use is deleted": {
    file: "control/file-queries.ts",
    find: '.where("is_deleted", "=", 0)\n            .where(isNoInput)',
    replace: '.where("is_deleted", "=", 0)',
    seed: 52000,
  },
};
