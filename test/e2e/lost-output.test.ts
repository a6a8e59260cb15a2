import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const bin = join(import.meta.dirname, "../../bin/nerif.js");

it.runIf(existsSync("/dev/full")).each([["--version"], ["help run"]])(
  "nerif %s says that it could not write to a full disk",
  (args) => {
    const command = `exec "$0" "$1" ${args} >/dev/full`;
    const { status, stderr } = spawnSync("sh", ["-c", command, process.execPath, bin], { encoding: "utf8" });
    expect([status, stderr]).toEqual([1, "nerif: Cannot write to stdout: the disk is full\n"]);
  },
);
