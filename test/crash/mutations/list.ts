/** One change of the sources that breaks a promise, and what has to notice it. */
export interface Mutation {
  name: string;
  file: string;
  /** Each is replaced once; one that is not there any more fails the check. */
  replace: readonly (readonly [search: string, by: string])[];
  /** Arguments of `test/crash/main.ts`, or a test file. */
  noticedBy: { part: readonly string[] } | { test: string };
}

const runPower = { part: ["--only", "points-run-power", "--stride", "6"] };
const runNames = { part: ["--only", "points-run-names", "--stride", "6"] };
const servePower = { part: ["--only", "points-serve-power", "--stride", "8"] };
const manyFlips = { part: ["--only", "flips", "--rounds", "1500", "--stride", "1"] };
const flips = { part: ["--only", "flips", "--rounds", "150", "--stride", "1"] };

export const mutations: readonly Mutation[] = [
  {
    name: "the journal is not synced",
    file: "src/journal/segment-writer.ts",
    replace: [["calls.sync(fd, (error) => {", "setImmediate((error: Error | null = null) => {"]],
    noticedBy: runPower,
  },
  {
    name: "a segment's name is not synced",
    file: "src/journal/disk.ts",
    replace: [["await syncDirectory(join(directory, id.batchId), failedSync);", ""]],
    noticedBy: runPower,
  },
  {
    name: "the name of a batch's journal is not synced",
    file: "src/journal/disk.ts",
    replace: [["whoever made it.\n    await syncDirectory(directory, failedSync);", "whoever made it."]],
    noticedBy: runPower,
  },
  {
    name: "a file's bytes are not synced before its name",
    file: "src/files/disk-writer.ts",
    replace: [["await fatalIf(calls.sync(handle), (errno) => !isFull(errno));", ""]],
    noticedBy: runNames,
  },
  {
    name: "a file's name is not synced",
    file: "src/files/disk-writer.ts",
    replace: [["await fatalIf(syncDirectory(dirname(path)), () => true);", ""]],
    noticedBy: servePower,
  },
  {
    name: "names of new directories are not synced",
    file: "src/disk/directory.ts",
    replace: [
      ["    if (isOurs) await syncDirectory(at, onFailedSync);\n    else await", "    if (!isOurs) await"],
    ],
    noticedBy: runPower,
  },
  {
    name: "the record of a run is not synced",
    file: "src/cli/run-record.ts",
    replace: [["await file.sync().finally(() => file.close());", "await file.close();"]],
    noticedBy: runNames,
  },
  {
    name: "commits of the control store are not synced",
    file: "src/control/sqlite.ts",
    replace: [["pragma synchronous = full", "pragma synchronous = normal"]],
    noticedBy: servePower,
  },
  {
    name: "a lease does not raise the epoch",
    file: "src/control/shard-queries.ts",
    replace: [['epoch: eb("epoch", "+", 1),', ""]],
    noticedBy: { part: ["--only", "kills-run", "--rounds", "3"] },
  },
  {
    name: "a change under a lease does not compare the epoch",
    file: "src/control/shard-queries.ts",
    replace: [['.where("epoch", "=", epoch)', ""]],
    noticedBy: { test: "src/control/sqlite.test.ts" },
  },
  {
    name: "a result is counted before it is written",
    file: "src/journal/segment-writer.ts",
    replace: [
      ["entries.push(entry);", "entries.push(entry);\n      setImmediate(onDurable, [entry]);"],
      ["if (reported.length > 0) onDurable(reported);", ""],
      ["group.schedule(segment);\n    },", "setTimeout(() => group.schedule(segment), 20);\n    },"],
    ],
    noticedBy: { test: "test/crash/journal-kill.test.ts" },
  },
  {
    name: "the sum of a result is not checked",
    file: "src/journal/record.ts",
    replace: [["return crc32(window.subarray(at + 8,", "return true || crc32(window.subarray(at + 8,"]],
    noticedBy: flips,
  },
  {
    name: "the sums of a request are not checked",
    file: "src/engine/plan/line-bytes.ts",
    replace: [
      ["const isIdSound = sums === null || crc32(id) === sums.id;", "const isIdSound = true;"],
      ["(sums !== null && crc32(body) !== sums.body)", "false"],
    ],
    noticedBy: flips,
  },
  {
    name: "the sum of the plan is not checked",
    file: "src/engine/plan/plan.ts",
    replace: [["crc32(bytes.subarray(4, end)) !== bytes.readUInt32LE(0)", "false"]],
    noticedBy: manyFlips,
  },
  {
    name: "the sum of a file that is read is not checked",
    file: "src/service/checked-reader.ts",
    replace: [['hash.digest("hex") !== file.sha256', "false"]],
    noticedBy: flips,
  },
];
