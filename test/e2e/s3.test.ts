import { expect, onTestFinished, test } from "vitest";
import { limits } from "../../src/batch/limits.ts";
import { createEngine } from "../../src/engine/executor.ts";
import { sweep } from "../../src/engine/upkeep/sweep.ts";
import { createS3FileStore } from "../../src/files/s3.ts";
import { createObjectJournal } from "../../src/journal/objects.ts";
import { requestLines } from "../support/engine.ts";
import { allIds, idsOf, logsIn, onS3, slowEcho } from "../support/on-s3.ts";
import { type S3Server, startS3 } from "../support/s3.ts";
import { createScriptedUpstream } from "../support/scripted-upstream.ts";

test("a batch asks S3 at most four times for a shard, beside its flushes", async () => {
  const shards = 12;
  const flushIntervalMs = 20;
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(10), { concurrency: 16 });
  const { addBatch, engine, until, lines } = await onS3(server, upstream, { flushIntervalMs });
  const batch = await addBatch(requestLines(shards * limits.shardLines));
  server.requests.length = 0;
  const began = performance.now();
  await engine.start();
  const done = await until(batch.id);
  const seconds = (performance.now() - began) / 1000;
  expect(done).toMatchObject({
    status: "completed",
    request_counts: { completed: shards * limits.shardLines },
  });

  const flushes = server.requests.filter(({ key }) => key.includes("/log-")).length;
  // It was written in many pieces indeed, so that reading these back one by one would have cost too much.
  expect(flushes).toBeGreaterThan(2 * shards);
  // A slow machine looks a few times more whether everything is still its own.
  expect(server.requests.length - flushes).toBeLessThanOrEqual(5 * shards);
  expect(server.requests.length).toBeLessThanOrEqual(4 * shards + (seconds * 1000) / flushIntervalMs);
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(shards * limits.shardLines));
});

test("a worker that is paused beyond its lease changes nothing when it goes on", async () => {
  const count = 1_500;
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(10), { concurrency: 16 });
  const { addBatch, deps, engine, until, lines } = await onS3(server, upstream, { flushIntervalMs: 20 });
  const batch = await addBatch(requestLines(count));
  await engine.start();
  await server.seen(() => logsIn(server) >= 5);
  const gate = Promise.withResolvers<null>();
  const paused = writersOf(server)[0] ?? "none";
  let held = false;
  server.fault = ({ operation, key }) => {
    if (operation !== "PutObject" || !key.includes(paused)) return null;
    held = true;
    return gate.promise;
  };
  await server.seen(() => held);

  const bucket = await server.open();
  const journal = createObjectJournal({ bucket, flushIntervalMs: 20 });
  // It takes all shards, as if their leases had run out.
  const second = createEngine({ ...deps, journal, files: createS3FileStore(bucket) });
  onTestFinished(() => second.stop(0));
  await second.start();
  await server.seen(() => writersOf(server).length > 1);
  gate.resolve(null);
  const done = await until(batch.id);
  expect(done).toMatchObject({
    status: "completed",
    request_counts: { total: count, completed: count, failed: 0 },
  });
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(count));
});

test("sweeping never takes what a running batch needs, however old it is, and takes what nothing names", async () => {
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(5), { concurrency: 16 });
  const muchLater = () => Date.now() + 30 * 86_400_000;
  const fixture = await onS3(server, upstream, { now: muchLater });
  const { deps, files, addBatch, engine, until, lines } = fixture;
  const orphan = await files.create("file-0000000000000000000000000000dead");
  await orphan.write([Buffer.from("nobody knows it")]);
  await orphan.commit();
  const batch = await addBatch(requestLines(2_000));
  await engine.start();
  let isOver = false;
  const ended = until(batch.id).finally(() => {
    isOver = true;
  });
  let sweeps = 0;
  while (!isOver) {
    await sweep(deps);
    sweeps += 1;
  }
  const done = await ended;
  await sweep(deps);
  expect(sweeps).toBeGreaterThan(2);
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(2_000));
  expect(await files.size("file-0000000000000000000000000000dead")).toBeNull();
  // Its working files are gone, its input and its results are there.
  const bucket = await server.open();
  expect(await Array.fromAsync(bucket.list("", "look"), ({ key }) => key)).toEqual(
    [`files/${batch.input_file_id}`, `files/${done.output_file_id}`].sort(),
  );
});

test("a batch waits while S3 is away, loses nothing, and goes on by itself", async () => {
  const server = await startS3();
  const upstream = createScriptedUpstream(slowEcho(2), { concurrency: 16 });
  const { addBatch, engine, until, lines, deps } = await onS3(server, upstream, {
    flushIntervalMs: 5,
    maxAttempts: 1,
  });
  const batch = await addBatch(requestLines(2_000));
  await engine.start();
  await server.seen(() => logsIn(server) >= 5);
  server.fault = ({ key }) => (key.includes("journal/") ? "lose" : null);
  await new Promise<void>((resolve) => {
    const off = deps.journal.onFlush(() => {
      if (!deps.journal.stalled) return;
      off();
      resolve();
    });
  });
  const sent = upstream.calls.length;
  const tried = logsIn(server);
  await server.seen(() => logsIn(server) > tried + 1);
  // Nothing is sent whose answer could not be kept.
  expect(upstream.calls.length - sent).toBeLessThanOrEqual(16);
  server.fault = () => null;
  const done = await until(batch.id);
  expect(done).toMatchObject({ status: "completed", request_counts: { completed: 2_000 } });
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(2_000));
  expect(upstream.calls).toHaveLength(2_000);
});

/** The writers of logs, in the order in which they came. */
function writersOf({ requests }: S3Server): string[] {
  const writers = requests.flatMap(({ key }) => /\/log-([0-9a-f]+)-/.exec(key)?.[1] ?? []);
  return [...new Set(writers)];
}
