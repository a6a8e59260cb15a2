import { Client } from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { lessWorkMetadata } from "../../src/batch/less-work.ts";
import { limits } from "../../src/batch/limits.ts";
import { openPostgresControlStore } from "../../src/control/postgres.ts";
import { createSharedLock } from "../../src/control/shared-lock.ts";
import { createEngine } from "../../src/engine/executor.ts";
import { createS3FileStore } from "../../src/files/s3.ts";
import { createNerif } from "../../src/index.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { createObjectJournal } from "../../src/journal/objects.ts";
import type { Answer, UpstreamCall } from "../../src/upstreams/upstream.ts";
import { createEngineFixture, requestLines } from "../support/engine.ts";
import { startKeyedUpstream } from "../support/keyed-upstream.ts";
import { chats } from "../support/library-requests.ts";
import { allIds, idsOf, onS3 } from "../support/on-s3.ts";
import { startPostgres, withoutPostgres } from "../support/postgres.ts";
import { type S3Server, startS3 } from "../support/s3.ts";
import { createScriptedUpstream, echo } from "../support/scripted-upstream.ts";

const mebibyte = 1024 * 1024;

describe.skipIf(withoutPostgres !== null)(`a batch on PostgreSQL and S3 ${withoutPostgres ?? ""}`, () => {
  test("costs six statements a shard at most and four requests, beside heartbeats, looks and flushes", async () => {
    const shards = 24;
    const flushIntervalMs = 50;
    const url = await emptyDatabase();
    const server = await startS3();
    const statements = countStatements();
    const worker = async () => {
      const bucket = await server.open();
      const { answer, watch } = flushingEcho(256);
      const upstream = createScriptedUpstream(answer, { concurrency: 32 });
      const journal = watch(createObjectJournal({ bucket, flushIntervalMs }));
      return {
        ...{
          upstream,
          files: createS3FileStore(bucket),
          journal,
        },
        ...{ control: await openPostgresControlStore({ url }), lock: createSharedLock() },
      };
    };
    const [{ upstream: first, ...one }, { upstream: second, ...two }] = [await worker(), await worker()];
    const { deps, engine, addBatch, until, lines } = await createEngineFixture(first, one);
    const other = createEngine({ ...deps, ...two, pickUpstreams: () => [second] });
    onTestFinished(async () => {
      await other.stop(0);
      await two.control.close();
    });
    const { id } = await addBatch(requestLines(shards * limits.shardLines));
    statements.length = 0;
    server.requests.length = 0;
    const began = performance.now();
    await Promise.all([engine.start(), other.start()]);
    const done = await until(id);
    const seconds = (performance.now() - began) / 1000;

    const ofRun = statements.filter((sql) => !isHeartbeat(sql) && !isLook(sql));
    const flushes = flushesIn(server);
    const [leased, finished] = [ofRun.filter(isLease).length, ofRun.filter(isFinish).length];
    console.log(
      `${shards} shards: ${ofRun.length} statements (${leased} leases, ${finished} ends), ${statements.length} with ` +
        `heartbeats and looks in ${seconds.toFixed(1)} s; ${flushes} flushes and ${server.requests.length - flushes} other requests`,
    );
    expect(ofRun.length).toBeLessThanOrEqual(6 * shards);
    // They were counted indeed, and both had their part in it.
    expect(leased).toBeGreaterThanOrEqual(shards / 8);
    expect(finished).toBe(shards);
    expect(Math.min(first.calls.length, second.calls.length)).toBeGreaterThan(limits.shardLines);
    expect(flushes).toBeGreaterThan(shards);
    expect(flushes).toBeLessThanOrEqual(2 * ((seconds * 1_000) / flushIntervalMs + shards));
    expect(server.requests.length - flushes).toBeLessThanOrEqual(4 * shards);
    expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(shards * limits.shardLines));
  });

  test("lets a process stop while S3 takes connections and says nothing", async () => {
    const server = await startS3();
    const upstream = await startKeyedUpstream({ latencyMs: 1 });
    onTestFinished(() => upstream[Symbol.asyncDispose]());
    const { bucket, prefix, endpoint } = server.options;
    const options = {
      ...{ databaseUrl: await emptyDatabase(), s3Bucket: `s3://${bucket}/${prefix}`, s3Endpoint: endpoint },
      upstream: upstream.url,
    };
    const nerif = createNerif(options);
    // What the results are read back from.
    const isRead = ({ operation, key }: S3Server["requests"][number]) =>
      operation === "GetObject" && key.includes("/seg-");
    server.fault = (request) => (isRead(request) ? "hang" : null);
    const input = await nerif.files.createBatchFile(chats(["one", "two", "three"]));
    const batch = await nerif.batches.create({ input_file_id: input.id, endpoint: "/v1/chat/completions" });
    await server.seen(() => server.requests.some(isRead));
    await nerif.close({ graceMs: 0 });
    // It would have been asked again, four times in all, before anybody else came to know.
    expect(server.requests.filter(isRead)).toHaveLength(1);

    server.fault = () => null;
    const next = createNerif(options);
    onTestFinished(() => next.close({ graceMs: 0 }));
    const done = await next.batches.wait(batch.id);
    expect(done).toMatchObject({ status: "completed", request_counts: { completed: 3 } });
    expect(upstream.calls).toHaveLength(3);
  });
});

test("answers that do not fit into memory cost S3 a request for each MiB at most, however many flushes they came in", async () => {
  const [routes, perRoute, answerBytes] = [8, 320, 33_000];
  const count = routes * perRoute;
  const server = await startS3();
  const { answer, watch } = flushingEcho(64, "x".repeat(answerBytes));
  const upstream = createScriptedUpstream(answer, { concurrency: 32 });
  const { addBatch, deps, engine, until, lines } = await onS3(server, upstream, { flushIntervalMs: 1 });
  watch(deps.journal);
  const model = (line: number) => ({ body: { model: `m${line % routes}`, messages: [] } });
  const { id } = await addBatch(requestLines(count, model));
  server.requests.length = 0;
  await engine.start();
  await until(id, ({ ending }) => ending !== null);
  const ofRun = server.requests.length;
  const done = await until(id);

  const flushes = flushesIn(server);
  const others = server.requests.length - flushes;
  console.log(
    `${routes} shards of ${((perRoute * answerBytes) / mebibyte).toFixed(1)} MiB: ${flushes} flushes, ${others} other requests`,
  );
  expect(flushes).toBeGreaterThan(4 * routes);
  expect(others).toBeLessThanOrEqual(4 * routes + (count * answerBytes) / mebibyte);
  const reads = server.requests.slice(ofRun).filter(({ operation }) => operation === "GetObject");
  expect(reads.filter(({ key }) => key.includes("/log-"))).toEqual([]);
  expect(idsOf(await lines(done.output_file_id))).toEqual(allIds(count));
});

test("answers that others copy in any order cost S3 about what they cost without that, not a request for each line", async () => {
  const shards = 6;
  const distinct = shards * limits.shardLines;
  const server = await startS3();
  const upstream = createScriptedUpstream(echo, { concurrency: 32 });
  const { addBatch, engine, until, lines } = await onS3(server, upstream);
  // Those behind are all followers, and their leaders lie anywhere: both numbers have no common divisor.
  const said = (line: number) => (line < distinct ? line : (line * 1_409) % distinct);
  const body = (line: number) => ({
    body: { model: "m", temperature: 0, messages: [{ role: "user", content: `Say ${said(line)}` }] },
  });
  const metadata = lessWorkMetadata({ dedupe: true, groupByPrefix: false });
  const { id } = await addBatch(requestLines(2 * distinct, body), { metadata });
  await engine.start();
  const done = await until(id);
  const ofShards = server.requests.filter(({ key }) => key.includes("/seg-"));
  const reads = ofShards.filter(({ operation }) => operation === "GetObject").length;
  console.log(`${distinct} answers for twice as many lines: ${shards} shards were read ${reads} times`);
  expect(upstream.calls).toHaveLength(distinct);
  // Each shard once as its lines are due, and once more for those that follow.
  expect(reads).toBeGreaterThanOrEqual(shards);
  expect(reads).toBeLessThanOrEqual(2 * shards);
  const results = await lines(done.output_file_id);
  expect(idsOf(results)).toEqual(allIds(2 * distinct));
  const echoed = results.map(({ response }) => JSON.stringify(response?.body?.echo));
  expect(echoed.every((text, line) => text.includes(`Say ${said(line)}"`))).toBe(true);
});

/** Answers so many calls at once at most, and the next when a flush has ended, so that there are many of these. */
function flushingEcho(perFlush: number, padding = "") {
  let flushes = 0;
  let flushed = Promise.withResolvers<void>();
  return {
    async answer(call: UpstreamCall, nth: number): Promise<Answer> {
      while (flushes < Math.floor(nth / perFlush)) await flushed.promise;
      const answer = echo(call);
      return answer.ok ? { ...answer, body: Buffer.from(`{"choices":[],"padding":"${padding}"}`) } : answer;
    },
    watch(journal: Journal): Journal {
      journal.onFlush(() => {
        flushes += 1;
        flushed.resolve();
        flushed = Promise.withResolvers();
      });
      return journal;
    },
  };
}

async function emptyDatabase(): Promise<string> {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.remove());
  return postgres.createDatabase();
}

/** Every statement that this process sends to PostgreSQL from now on; those of transactions that only read as "look". */
function countStatements(): string[] {
  const seen: string[] = [];
  const looking = new WeakSet<Client>();
  const { query } = Client.prototype;
  function watched(this: Client, ...given: unknown[]): unknown {
    const [first] = given;
    const sql = typeof first === "string" ? first : (first as { text: string }).text;
    if (sql.startsWith("start transaction") && sql.endsWith("read only")) looking.add(this);
    seen.push(looking.has(this) ? "look" : sql);
    if (sql === "commit" || sql === "rollback") looking.delete(this);
    return Reflect.apply(query, this, given);
  }
  Object.defineProperty(Client.prototype, "query", { configurable: true, writable: true, value: watched });
  onTestFinished(() => {
    Object.defineProperty(Client.prototype, "query", { configurable: true, writable: true, value: query });
  });
  return seen;
}

function isHeartbeat(sql: string): boolean {
  return sql.startsWith('update "shards" set "leased_until" = ') || sql.includes('"leases"');
}

/** Looking for changes and at batches, here and in the test itself: some times a second, however many shards there are. */
function isLook(sql: string): boolean {
  if (sql === "look" || sql.includes("pg_current_snapshot")) return true;
  return sql.startsWith("select") && !sql.includes('from "shards" where "batch_id" = $1');
}

function isLease(sql: string): boolean {
  return sql.startsWith('with "of_version"');
}

function isFinish(sql: string): boolean {
  return sql.startsWith('update "shards" set "state" = ') && sql.includes('"segments_json" = ');
}

function flushesIn({ requests }: S3Server): number {
  return requests.filter(({ operation, key }) => operation === "PutObject" && key.includes("/log-")).length;
}
