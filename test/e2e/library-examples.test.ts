import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSimulator, type Simulator } from "../../src/testing.ts";
import { startNode } from "../support/library-process.ts";
import { storageEnvironment } from "../support/storage.ts";

let dataDir: string;
let simulator: Simulator;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-examples-"));
  simulator = createSimulator();
  const { url } = await simulator.listen();
  env = { HOME: dataDir, NERIF_UPSTREAM: url };
});

afterEach(async () => {
  await simulator.close();
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

test("examples/quick-start.ts runs two endpoints in one batch", async () => {
  await using child = startNode({ file: "examples/quick-start.ts", args: [] }, env);
  expect(await child.said("Status:")).toBe("completed");
  expect(await child.said("Completed:")).toBe("2");
  expect(await child.said("Failed:")).toBe("0");
  expect(await child.said('{"id":')).toContain("request-1");
  expect(await child.said('{"id":')).toContain("request-2");
  expect(await child.ended).toBe(0);
});

test("examples/summarize-files.ts prints a summary of each of its texts", async () => {
  await using child = startNode({ file: "examples/summarize-files.ts", args: [] }, env);
  expect(await child.said("Processing 3 files in batch")).toMatch(/^batch_/);
  // They come in the order in which they are done.
  const lines = [await child.said("file"), await child.said("file"), await child.said("file")].toSorted();
  expect(lines.map((line) => line.slice(0, 6))).toEqual(["1.txt:", "2.txt:", "3.txt:"]);
  expect(await child.ended).toBe(0);
  expect(simulator.served.requests).toBe(3);
});

test("examples/openai-sdk.ts runs against a server", async () => {
  const stored = { NERIF_DATA_DIR: dataDir, ...storageEnvironment(dataDir) };
  await using server = startNode(
    { file: "bin/nerif.js", args: ["serve", "--port", "0", "--json"] },
    { ...env, ...stored },
  );
  const address = /http:[^"]+/.exec(await server.said('{"event":"listening"'))?.[0] ?? "";
  await using child = startNode(
    { file: "examples/openai-sdk.ts", args: [] },
    { ...env, OPENAI_BASE_URL: `${address}/v1` },
  );
  expect(await child.said("completed")).toContain("completed: 3");
  for (const country of ["France", "Italy", "Norway"]) expect(await child.said('{"id"')).toContain(country);
  expect(await child.ended).toBe(0);
});
