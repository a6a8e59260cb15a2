import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { killGroup } from "../support/cli-process.ts";
import { createCliWorkspace } from "../support/cli-workspace.ts";

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

afterAll(() => {
  delete process.env.TEST_COMMAND;
  rmSync(scratch, { recursive: true });
});

test("the published package has a command that runs", () => {
  const { version } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  expect(node(join(installed, "bin/nerif.js"), "--version").trim()).toBe(version);
});

test("the published command is killed, goes on, and is configured by a file", async () => {
  process.env.TEST_COMMAND = join(installed, "bin/nerif.js");
  await using work = await createCliWorkspace();
  const request = (n: number) => ({
    ...{ custom_id: `${n}`, method: "POST", url: "/v1/embeddings" },
    body: { model: "simulated", input: `Sentence ${n}` },
  });
  const requests = Array.from({ length: 200 }, (_, n) => JSON.stringify(request(n)));
  work.write("in.jsonl", requests.join("\n"));
  work.write("nerif.config.yaml", "concurrency: 2\n");
  const args = ["run", "in.jsonl", "--output", "out.jsonl"];
  const killed = work.start(args, { group: true });
  await expect.poll(() => work.sent().length, { timeout: 30_000 }).toBeGreaterThan(20);
  expect(await killGroup(killed)).toMatchObject({ signal: "SIGKILL" });
  expect(await work.run(args)).toMatchObject({ code: 0 });
  expect(work.lines("out.jsonl").map(({ custom_id }) => Number(custom_id))).toEqual([...requests.keys()]);
  expect(work.sent().length).toBeLessThanOrEqual(requests.length + 4);
  expect(await work.run(["batches", "list", "--json"])).toMatchObject({ code: 0 });
});

test("a server goes on when the package is replaced under it", async () => {
  const replaced = join(scratch, "replaced");
  cpSync(installed, replaced, { recursive: true, verbatimSymlinks: true });
  process.env.TEST_COMMAND = join(replaced, "bin/nerif.js");
  await using work = await createCliWorkspace();
  const server = work.start(["serve", "--port", "0", "--json"]);
  await server.printed(/"event":"listening".*\n/);
  const { url } = JSON.parse(server.output().stdout.split("\n", 1)[0] ?? "");
  rmSync(join(replaced, "dist"), { recursive: true });
  expect((await fetch(`${url}/openapi.json`)).status).toBe(200);
  const endpoint = { name: "ended", url: "http://127.0.0.1:9/", event_types: ["batch.completed"] };
  const asked = await fetch(`${url}/v1/webhook_endpoints`, {
    method: "POST",
    body: JSON.stringify(endpoint),
  });
  expect([asked.status, await asked.text()]).toEqual([
    400,
    expect.stringContaining("its address is private"),
  ]);
});

test("the published command holds what it loads, with the licenses", () => {
  const command = join(installed, "dist/command");
  const texts = readdirSync(command)
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(join(command, name), "utf8"));
  const imports = texts.flatMap((text) =>
    [...text.matchAll(/^(?:import|export)\b[^"\n]*"([^"]+)"|import\("([^"]+)"\)/gm)].map(
      ([, named, asked]) => named ?? asked ?? "",
    ),
  );
  const outside = imports.filter((name) => !name.startsWith("./") && !isBuiltin(name));
  expect([...new Set(outside)].toSorted()).toEqual(["@aws-sdk/client-s3", "@aws-sdk/lib-storage", "pg"]);
  const licenses = readFileSync(join(command, "LICENSES.txt"), "utf8");
  for (const name of ["hono", "kysely", "undici", "zod"]) {
    const { version } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
    expect(licenses).toContain(`${name} ${version}\n`);
  }
  expect(licenses).toContain("\nundici/lib/milo\n");
  expect(licenses).not.toContain("undefined");
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
