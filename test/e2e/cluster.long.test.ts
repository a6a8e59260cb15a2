import { describe, expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { clientOf, createBatch } from "../support/cluster-client.ts";
import { withoutPostgres } from "../support/postgres.ts";

const lines = 8_000;
const inFlight = 16;

/** As for one process: the calls in flight, and the answers of one turn of the event loop, which are no more. */
const repeatsPerKill = 2 * inFlight;

/** Answers that a process may have which S3 has not confirmed (decision 029). */
const unflushed = 1_024;

describe.skipIf(withoutPostgres !== null)(
  `servers and workers on one database ${withoutPostgres ?? ""}`,
  () => {
    test.for([
      { on: "directory", mostRepeats: repeatsPerKill },
      { on: "s3", mostRepeats: inFlight + unflushed },
    ] as const)(
      "execute one batch together, with files in $on, and go on without the one that is killed",
      async ({ on, mostRepeats }) => {
        await using cluster = await startCluster({ latencyMs: 100, concurrency: inFlight, on });
        const { upstream } = cluster;
        // At once, on an empty database and a directory that is not there.
        const [one, two, first] = await Promise.all([
          cluster.serve("s1"),
          cluster.serve("s2"),
          cluster.worker("w1"),
          cluster.worker("w2"),
        ]);
        const id = await createBatch(one.url, lines);
        await Promise.all(["s1", "s2", "w1", "w2"].map((key) => upstream.untilAnswered(key, 200)));
        first.child.kill("SIGKILL");
        await first.ended;

        const batch = await finished(two.url, id);
        expect(batch).toMatchObject({
          status: "completed",
          request_counts: { total: lines, completed: lines, failed: 0 },
        });
        await expectEachLineOnce(one.url, batch.output_file_id);
        const repeats = upstream.calls.length - lines;
        const shares = ["s1", "s2", "w1", "w2"].map(
          (key) => upstream.calls.filter((call) => call.key === key).length,
        );
        console.log(`calls by process: ${shares.join(", ")}; ${repeats} repeated after a kill`);
        expect(repeats).toBeGreaterThanOrEqual(0);
        expect(repeats).toBeLessThanOrEqual(mostRepeats);
      },
    );

    test("wait while the database is away, say so, and go on when it is back", async () => {
      await using cluster = await startCluster({ latencyMs: 100, concurrency: inFlight });
      const { upstream, postgres } = cluster;
      const [server] = await Promise.all([cluster.serve("s1"), cluster.worker("w1")]);
      const id = await createBatch(server.url, 6_000);
      await Promise.all(["s1", "w1"].map((key) => upstream.untilAnswered(key, 200)));
      await postgres.kill();
      // It is asked until it has given up waiting.
      while ((await fetch(`${server.url}/readyz`)).status !== 503);
      await postgres.start();
      const batch = await finished(server.url, id);
      expect(batch).toMatchObject({
        status: "completed",
        request_counts: { total: 6_000, completed: 6_000 },
      });
      await expectEachLineOnce(server.url, batch.output_file_id, 6_000);
      console.log(`${upstream.calls.length - 6_000} calls repeated after the database was away`);
      expect(upstream.calls.length - 6_000).toBeLessThanOrEqual(2 * repeatsPerKill);
    });

    test("refuse a directory that is not the one of their database", async () => {
      await using cluster = await startCluster({ latencyMs: 0, concurrency: 1 });
      await cluster.worker("w1");
      const foreign = `${Object.values(cluster.files)[0]}-2`;
      const { code, stderr } = await cluster.refused(["worker"], { NERIF_SHARED_DIR: foreign });
      expect([code, stderr]).toEqual([
        2,
        expect.stringContaining("maybe the right directory is not mounted"),
      ]);
    });

    test("refuse two places for files, and one without a database", async () => {
      await using cluster = await startCluster({ latencyMs: 0, concurrency: 1 });
      const s3 = { NERIF_S3_BUCKET: "s3://batches/nerif" };
      const two = await cluster.refused(["worker"], s3);
      expect([two.code, two.stderr]).toEqual([2, expect.stringContaining("files are kept in one place")]);
      const alone = await cluster.refused(["serve"], { ...s3, NERIF_DATABASE_URL: "", NERIF_SHARED_DIR: "" });
      expect([alone.code, alone.stderr]).toEqual([
        2,
        expect.stringContaining("Cannot use --s3-bucket alone"),
      ]);
    });

    test("count nothing of what a worker says that stood still for longer than its leases", async () => {
      await using cluster = await startCluster({ latencyMs: 100, concurrency: inFlight });
      const { upstream } = cluster;
      const [server, worker] = await Promise.all([cluster.serve("s1"), cluster.worker("w1")]);
      const id = await createBatch(server.url, 3_000);
      await upstream.untilAnswered("w1", 200);
      worker.child.kill("SIGSTOP");
      const batch = await finished(server.url, id);
      worker.child.kill("SIGCONT");
      expect(batch).toMatchObject({
        status: "completed",
        request_counts: { total: 3_000, completed: 3_000 },
      });
      await expectEachLineOnce(server.url, batch.output_file_id, 3_000);
      expect(upstream.calls.length - 3_000).toBeLessThanOrEqual(repeatsPerKill);
      // It goes on with what comes next.
      const next = await createBatch(server.url, 3_000);
      const before = upstream.answered("w1");
      await upstream.untilAnswered("w1", before + 1);
      expect(await finished(server.url, next)).toMatchObject({ status: "completed" });
      worker.child.kill("SIGTERM");
      expect(await worker.ended).toMatchObject({ code: 0 });
    });
  },
);

/** The batch when it is final, as any of the servers tells. */
async function finished(url: string, id: string) {
  const results = await fetch(`${url}/v1/batches/${id}/results?follow=true`);
  const seen = new Set(
    (await results.text())
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line).custom_id),
  );
  const batch = await clientOf(url).batches.retrieve(id);
  // Who followed has seen all of it, whoever ran it.
  expect(seen.size).toBe(batch.request_counts?.total);
  return batch;
}

async function expectEachLineOnce(
  url: string,
  fileId: string | null | undefined,
  count = lines,
): Promise<void> {
  const text = await (await clientOf(url).files.content(fileId ?? "")).text();
  const ids = text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).custom_id);
  expect(ids).toEqual(Array.from({ length: count }, (_, line) => `r${line}`));
}
