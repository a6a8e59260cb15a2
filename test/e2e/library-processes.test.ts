import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createNerif } from "../../src/index.ts";
import { startNode } from "../support/library-process.ts";
import { type GatedUpstream, startGatedUpstream } from "../support/library-upstream.ts";
import { storageAt, storageEnvironment } from "../support/storage.ts";

let dataDir: string;
let model: GatedUpstream;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-processes-"));
  model = await startGatedUpstream();
  env = { HOME: dataDir, NERIF_DATA_DIR: dataDir, NERIF_UPSTREAM: model.url, ...storageEnvironment(dataDir) };
});

afterEach(async () => {
  await model[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

test("a process whose script is over stays alive until its batch is final, then ends", async () => {
  await using child = startNode(creating(["one", "hold two"]), env);
  const id = await child.said("created");
  await model.held(1);
  model.release();
  expect(await child.ended).toBe(0);
  expect(await statusOf(id)).toBe("completed");
  expect(model.prompts.toSorted()).toEqual(["hold two", "one"]);
});

test("a process with keepAlive: false ends with its script, and the next executor goes on", async () => {
  await using child = startNode(creating(["hold one"], { keepAlive: false }), env);
  const id = await child.said("created");
  expect(await child.ended).toBe(0);
  expect(await statusOf(id)).not.toBe("completed");
  model.release();
  await using next = startNode(
    `${opening()} console.log("is", (await nerif.batches.wait(${JSON.stringify(id)})).status);`,
    env,
  );
  expect(await next.said("is")).toBe("completed");
  expect(await next.ended).toBe(0);
});

test("a process with keepAlive: false lives as long as it waits for a batch", async () => {
  const waiting = `${creating(["hold one"], { keepAlive: false })} console.log("is", (await nerif.batches.wait(id)).status);`;
  await using child = startNode(waiting, env);
  await child.said("created");
  await model.held(1);
  model.release();
  expect(await child.said("is")).toBe("completed");
  expect(await child.ended).toBe(0);
});

test("a process that creates a batch beside a running server leaves it to the server", async () => {
  await using server = startServer();
  await server.said('{"event":"listening"');
  await using child = startNode(creating(["hold one"]), { ...env, NERIF_UPSTREAM: undefined });
  const id = await child.said("created");
  await model.held(1);
  // It does not execute, so it may end, and the batch goes on without it.
  expect(await child.ended).toBe(0);
  model.release();
  await using watcher = createNerif({ ...storageAt(dataDir), execute: false });
  expect((await watcher.batches.wait(id)).status).toBe("completed");
  expect(model.prompts).toEqual(["hold one"]);
});

test("a process that waits becomes the executor when the server is killed", async () => {
  await using server = startServer();
  await server.said('{"event":"listening"');
  const waiting = `${creating(["one", "two", "hold three"])} console.log("is", (await nerif.batches.wait(id)).status);`;
  await using child = startNode(waiting, env);
  const id = await child.said("created");
  await model.held(1);
  server.kill("SIGKILL");
  await server.ended;
  // The call that was in flight is made again, now by the process that waited.
  await model.held(2);
  model.release();
  expect(await child.said("is")).toBe("completed");
  expect(await child.ended).toBe(0);
  await using nerif = createNerif({ ...storageAt(dataDir), execute: false });
  expect((await nerif.batches.retrieve(id)).request_counts).toEqual({ total: 3, completed: 3, failed: 0 });
  expect(model.prompts.filter((prompt) => prompt === "hold three")).toHaveLength(2);
});

test("a process that has something else to do becomes the executor when the other one is killed", async () => {
  await using first = startNode(creating(["hold one"]), env);
  const firstId = await first.said("created");
  await model.held(1);
  // It waits for nothing; a timer of its own keeps it alive.
  await using second = startNode(
    `${creating(["hold two"])} const busy = setInterval(() => {}, 1000); process.once("SIGTERM", () => clearInterval(busy));`,
    env,
  );
  const secondId = await second.said("created");
  await model.held(2);
  first.kill("SIGKILL");
  await first.ended;
  await model.held(4);
  model.release();
  await using nerif = createNerif({ ...storageAt(dataDir), execute: false });
  expect((await nerif.batches.wait(firstId)).status).toBe("completed");
  expect((await nerif.batches.wait(secondId)).status).toBe("completed");
  second.kill("SIGTERM");
  expect(await second.ended).toBe(0);
});

test("two processes at once on one directory send each line once", async () => {
  const prompts = (name: string) => Array.from({ length: 600 }, (_, index) => `${name} ${index}`);
  const both = ["a", "b"].map((name) => startNode(creating(prompts(name)), env));
  const ids = await Promise.all(both.map((child) => child.said("created")));
  // One of them executes both batches, and lives as long as that takes.
  expect(await Promise.all(both.map((child) => child.ended))).toEqual([0, 0]);
  expect(await Promise.all(ids.map(statusOf))).toEqual(["completed", "completed"]);
  expect(model.prompts.toSorted()).toEqual([...prompts("a"), ...prompts("b")].toSorted());
});

function startServer() {
  return startNode({ file: "bin/nerif.js", args: ["serve", "--port", "0", "--json"] }, env);
}

/** Code that creates a batch, says its id and has nothing more to do. */
function creating(prompts: readonly string[], options: object = {}): string {
  return `${opening(options)}
    const { chats } = await import("./test/support/library-requests.ts");
    const input = await nerif.files.createBatchFile(chats(${JSON.stringify(prompts)}));
    const { id } = await nerif.batches.create({ input_file_id: input.id, endpoint: "/v1/chat/completions" });
    console.log("created", id);`;
}

function opening(options: object = {}): string {
  return `import { createNerif } from "nerif"; const nerif = createNerif(${JSON.stringify({ ...storageAt(dataDir), ...options })});`;
}

async function statusOf(id: string): Promise<string> {
  await using nerif = createNerif({ ...storageAt(dataDir), execute: false });
  return (await nerif.batches.retrieve(id)).status;
}
