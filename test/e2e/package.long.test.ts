import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "nerif-package-"));
const installed = join(scratch, "package");

/** Packs what would be published and unpacks it as an installation would, beside this checkout's dependencies. */
beforeAll(() => {
  npm("run", "build");
  const [packed] = JSON.parse(npm("pack", "--json", "--ignore-scripts", "--pack-destination", scratch));
  execFileSync("tar", ["-xzf", join(scratch, packed.filename), "-C", scratch]);
  symlinkSync(join(root, "node_modules"), join(installed, "node_modules"), "dir");
}, 120_000);

afterAll(() => rmSync(scratch, { recursive: true }));

test("the published package has a command that runs", () => {
  const { version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  expect(node(join(installed, "bin/nerif.js"), "--version").trim()).toBe(version);
});

test("the published package opens every door of its exports", () => {
  const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const script = join(installed, "doors.mjs");
  const doors = Object.keys(exports).filter((door) => door !== "./package.json");
  const print = (door: string) =>
    `console.log(Object.keys(await import("nerif${door.slice(1)}")).join(" "));`;
  writeFileSync(script, doors.map(print).join("\n"));
  const [main = "", server = "", testing = ""] = node(script).split("\n");
  expect(main.split(" ")).toEqual(
    expect.arrayContaining(["Batch", "BatchFile", "NerifError", "createNerif"]),
  );
  expect(server.split(" ")).toEqual(expect.arrayContaining(["createHandler", "serve"]));
  expect(testing).not.toBe("");
});

test("the published package holds no sources and no tests", () => {
  expect(existsSync(join(installed, "src"))).toBe(false);
  expect(execFileSync("find", [installed, "-name", "*.test.*"], { encoding: "utf8" })).toBe("");
});

function npm(...args: string[]): string {
  return execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
}

function node(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: installed, encoding: "utf8" });
}
