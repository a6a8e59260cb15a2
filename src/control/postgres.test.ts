import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { describeControlStoreContract } from "../../test/contracts/control-store.ts";
import {
  aBatch,
  aFile,
  anApiKey,
  anUpload,
  aPart,
  aRunningBatch,
  aTally,
  aWebhookEndpoint,
  someShards,
} from "../../test/support/control-rows.ts";
import { startCutProxy } from "../../test/support/cut-proxy.ts";
import { type PostgresServer, startPostgres, withoutPostgres } from "../../test/support/postgres.ts";
import { newId } from "../batch/ids.ts";
import { openPostgresControlStore } from "./postgres.ts";

describe.skipIf(withoutPostgres !== null)(`the control store on PostgreSQL ${withoutPostgres ?? ""}`, () => {
  let server: PostgresServer;
  let url: string;

  beforeAll(async () => {
    server = await startPostgres();
    url = await server.createDatabase();
    await (await openPostgresControlStore({ url })).close();
    // The contract is about what is recorded, not about power cuts.
    await server.query(url, `alter database ${url.split("/").at(-1)} set synchronous_commit = off`);
  });
  afterAll(() => server.remove());

  describeControlStoreContract("PostgreSQL", async () => ({
    open: (leaseClock) => openPostgresControlStore(leaseClock === undefined ? { url } : { url, leaseClock }),
    // A database of its own for each test would take a second to make.
    dispose: () => server.empty(url),
  }));

  async function open(at: string = url, leaseClock?: () => number) {
    const store = await openPostgresControlStore({ url: at, ...(leaseClock && { leaseClock }) });
    onTestFinished(() => store.close());
    return store;
  }

  /** A store whose connections lose the answer to what matches, after it was done. */
  async function openCut(leaseClock?: () => number) {
    const { hostname, port, pathname } = new URL(url);
    const proxy = await startCutProxy({ host: hostname, port: Number(port) });
    onTestFinished(() => proxy.close());
    return { proxy, store: await open(`postgres://nerif@127.0.0.1:${proxy.port}${pathname}`, leaseClock) };
  }

  test("many processes bring an empty database to the newest schema when they start at once", async () => {
    const empty = await server.createDatabase();
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(empty)));
    const batch = aBatch();
    await stores[0]?.insertBatch(batch);
    for (const store of stores) expect(await store.getBatch(null, batch.id)).toEqual(batch);
    const versions = await server.query(empty, "select version from nerif_schema order by version");
    expect(versions.map(({ version }) => version)).toEqual(versions.map((_, index) => index + 1));
  });

  test("a database that a newer Nerif wrote is refused", async () => {
    const newer = await server.createDatabase();
    await (await openPostgresControlStore({ url: newer })).close();
    await server.query(newer, "insert into nerif_schema (version, name) values (99, 'future')");
    await expect(openPostgresControlStore({ url: newer })).rejects.toMatchObject({
      code: "data_too_new",
      message: "Cannot open the database: it has schema version 99, newer than this Nerif's 4",
    });
  });

  test("a database that is not there is refused without a word about where it is", async () => {
    const missing = url.replace(/[^/]+$/, "missing");
    await expect(openPostgresControlStore({ url: missing })).rejects.toMatchObject({
      code: "storage_unavailable",
      message: "Cannot open the database: there is no database of this name",
    });
    const nobody = openPostgresControlStore({ url: "postgres://u:secret@127.0.0.1:1/x", awayMs: 0 });
    await expect(nobody).rejects.toMatchObject({
      code: "storage_unavailable",
      message: "Cannot open the database: the database cannot be reached",
    });
  });

  test("a text with a NUL character is refused as the caller's mistake", async () => {
    const store = await open();
    const query = { project: "default", now: 1, limit: 1, order: "asc", purpose: "batch\0" } as const;
    await expect(store.listFiles(query)).rejects.toMatchObject({ code: "invalid_value" });
  });

  test("what is inserted is there once, and said to be there, when the answer to its commit was lost", async () => {
    const { store, proxy } = await openCut();
    const key = anApiKey({ hash: newId("api_key") });
    const [file, batch, upload, endpoint] = [aFile(), aBatch(), anUpload(), aWebhookEndpoint()];
    const part = aPart(upload);
    const answer = {
      project: "default",
      key: "k",
      fingerprint: "f",
      answer_json: "{}",
      created_at: 1_767_225_600,
    };
    const commits: (() => Promise<unknown>)[] = [
      () => store.insertFile(file, { answer }),
      () => store.insertBatch(batch),
      () => store.insertUpload(upload),
      () => store.insertPart(part, { now: upload.created_at, parts: 10, bytes: 1_000, quotas: undefined }),
      () => store.completeUpload(upload.id, aFile(), upload.created_at),
      () => store.insertWebhookEndpoint(endpoint, 20),
    ];
    for (const commit of commits) {
      proxy.loseAnswerTo(/commit/);
      expect([undefined, true]).toContain(await commit());
    }
    proxy.loseAnswerTo(/insert into "api_keys"/);
    await store.insertApiKey(key);
    expect(proxy.lost).toBe(commits.length + 1);
    expect(await store.getFile(null, file.id)).toEqual(file);
    expect(await store.getBatch(null, batch.id)).toEqual(batch);
    expect(await store.uploadParts(upload.id)).toEqual([part]);
    expect(await store.getApiKey(key.id)).toEqual(key);
    await server.empty(url);
  });

  test("a shard is leased by its holder, and only it, when the answer to the lease was lost", async () => {
    const { store, proxy } = await openCut();
    const { id } = await insertRunning(store);
    const request = { batchId: id, endpoint: "/v1/chat/completions", model: "m", limit: 2, leaseMs: 60_000 };
    proxy.loseAnswerTo(/update "shards"/);
    const leased = await store.leaseShards({ ...request, holder: "a" });
    expect(proxy.lost).toBe(1);
    expect(leased.map(({ shard, epoch, holder }) => [shard, epoch, holder])).toEqual([
      [0, 1, "a"],
      [1, 1, "a"],
    ]);
    const rest = await store.leaseShards({ ...request, holder: "b", limit: 10 });
    expect(rest.map(({ shard }) => shard)).toEqual([2, 3]);
    proxy.loseAnswerTo(/update "shards"/);
    expect(await store.renewLease(leased[0] ?? lost(), 60_000, aTally(5))).toBe(true);
    await server.empty(url);
  });

  test("what was committed between the question for it and its repetition is known for one's own", async () => {
    const { store, proxy } = await openCut();
    const [file, upload, partly] = [aFile(), anUpload(), anUpload()];
    const part = aPart(partly);
    const answer = {
      project: "default",
      key: "late",
      fingerprint: "f",
      answer_json: "{}",
      created_at: 1_767_225_600,
    };
    await store.insertUpload(upload);
    await store.insertUpload(partly);
    const commits: (() => Promise<unknown>)[] = [
      () => store.insertFile(file, { answer }),
      () => store.completeUpload(upload.id, aFile(), upload.created_at),
      () => store.insertPart(part, { now: partly.created_at, parts: 1, bytes: 1_000, quotas: undefined }),
    ];
    for (const commit of commits) {
      proxy.loseAnswerTo(/commit/, /begin|start transaction/);
      expect([undefined, true]).toContain(await commit());
    }
    const { id } = await insertRunning(store);
    const request = { batchId: id, endpoint: "/v1/chat/completions", model: "m", limit: 2, leaseMs: 60_000 };
    proxy.loseAnswerTo(/update "shards"/, /update "shards"/);
    const leased = await store.leaseShards({ ...request, holder: "a" });
    expect(proxy.lost).toBe(commits.length + 1);
    const left = await store.leaseShards({ ...request, holder: "b", limit: 10 });
    // Nobody holds a shard that it does not know of.
    expect([...leased, ...left].map(({ shard }) => shard).sort()).toEqual([0, 1, 2, 3]);
    await server.empty(url);
  });

  test("shards of another route, leased in the same millisecond, are not those whose answer was lost", async () => {
    const { store, proxy } = await openCut(() => 1_000);
    const { id } = await insertRunning(store);
    await store.insertShards(id, someShards(4, 6, { model: "other" }));
    const request = { batchId: id, endpoint: "/v1/chat/completions", holder: "a", limit: 8, leaseMs: 60_000 };
    expect(await store.leaseShards({ ...request, model: "other" })).toHaveLength(2);
    proxy.loseAnswerTo(/update "shards"/);
    const leased = await store.leaseShards({ ...request, model: "m" });
    expect([proxy.lost, leased.map(({ shard }) => shard)]).toEqual([1, [0, 1, 2, 3]]);
    await server.empty(url);
  });

  test("operations wait while the server is away, and go on when it is back", async () => {
    const own = await startPostgres();
    onTestFinished(() => own.remove());
    const place = await own.createDatabase();
    const store = await open(place);
    const batch = aBatch();
    await store.insertBatch(batch);
    await own.kill();
    const later = aBatch();
    const inserted = store.insertBatch(later);
    await own.start();
    await inserted;
    // Acknowledged before the kill, and after it.
    expect(await store.getBatch(null, batch.id)).toEqual(batch);
    expect(await store.getBatch(null, later.id)).toEqual(later);
  });

  test("leases run by the server's clock where no other is given", async () => {
    const store = await open();
    const { id } = await insertRunning(store);
    const request = { batchId: id, endpoint: "/v1/chat/completions", model: "m", holder: "a", limit: 1 };
    await store.leaseShards({ ...request, leaseMs: 60_000 });
    const [row] = await server.query(
      url,
      "select leased_until - extract(epoch from clock_timestamp()) * 1000 as left from shards where state = 'leased'",
    );
    expect(Number(row?.left)).toBeGreaterThan(30_000);
    expect(Number(row?.left)).toBeLessThanOrEqual(60_000);
    await server.empty(url);
  });
});

async function insertRunning(store: Awaited<ReturnType<typeof openPostgresControlStore>>) {
  const batch = aRunningBatch();
  await store.insertBatch(batch);
  await store.insertShards(batch.id, someShards(0, 4));
  return batch;
}

function lost(): never {
  throw new Error("No shard was leased");
}
