import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { expect, onTestFinished, test } from "vitest";
import { commands } from "./commands.ts";

const bin = join(import.meta.dirname, "../../bin/nerif.js");
const packages = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** Prints, behind everything else, what was loaded: a package by its name, a source by its path below `src/`. */
const hook = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const loaded = new Set();
  registerHooks({
    load(url, context, next) {
      const path = decodeURIComponent(url);
      if (path.startsWith("file:")) loaded.add(${packages}.exec(path)?.[1] ?? path.split("/src/")[1] ?? "");
      return next(url, context);
    },
  });
  process.on("exit", () => process.stderr.write("\\nloaded " + JSON.stringify([...loaded])));
`)}`;

function loadedBy(...args: string[]): string[] {
  const command = `"${process.execPath}" --import "${hook}" "${bin}" ${args.join(" ")} 2>&1`;
  const printed = execFileSync("/bin/sh", ["-c", command], { encoding: "utf8" });
  return JSON.parse(printed.slice(printed.lastIndexOf("\nloaded ") + 8));
}

const onPosix = test.skipIf(process.platform === "win32");

onPosix.each(["--help", "--version", "help"])("nerif %s loads what the command line needs", (flag) => {
  const loaded = loadedBy(flag);
  expect(packagesIn(loaded)).toEqual(["commander"]);
  expect(foldersIn(loaded)).toEqual(["batch", "cli", "service"]);
});

onPosix("nerif validate loads neither the control store nor upstreams nor HTTP", () => {
  const directory = mkdtempSync(join(tmpdir(), "nerif-loads-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const input = join(directory, "requests.jsonl");
  const body = { model: "m", input: "hello" };
  writeFileSync(input, JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/embeddings", body }));
  const loaded = loadedBy("validate", input);
  expect(packagesIn(loaded)).toEqual(["commander", "zod"]);
  expect(foldersIn(loaded)).toEqual(["batch", "cli", "disk", "engine", "files", "service"]);
});

function packagesIn(loaded: readonly string[]): string[] {
  return loaded.filter((name) => name !== "" && !name.endsWith(".ts")).sort();
}

function foldersIn(loaded: readonly string[]): string[] {
  const below = loaded.filter((name) => name.endsWith(".ts") && name.includes("/"));
  return [...new Set(below.map((name) => name.slice(0, name.indexOf("/"))))].sort();
}

test.each(Object.entries(commands))("the list of commands shows %s as it is", async (name, entry) => {
  const command = new Command(name);
  await entry.complete(command);
  expect(command.createHelp().subcommandTerm(command)).toBe(entry.term);
});

test.each([
  [["run", "a.jsonl", "--upstream-api-key=sk-secret123456"], "unknown option '--upstream-api-key'"],
  [
    ["run", "a.jsonl", "sk-secret123456", "sk-secret7"],
    "too many arguments for 'run'. Expected 1 argument but got 3",
  ],
  [["run", "a.jsonl", "--header='x=sk-secret'\n123456'"], "unknown option '--header'"],
])("of the command line %j nothing is repeated that may be a key", (args, why) => {
  const { status, stderr } = spawnSync(process.execPath, [bin, ...args], { encoding: "utf8" });
  expect([status, stderr]).toEqual([2, `nerif: Cannot understand the command line: ${why}\n`]);
});
