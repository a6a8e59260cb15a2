import { describe, expect, test } from "vitest";
import type { CliProcess } from "../support/cli-process.ts";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { clientOf, createBatch } from "../support/cluster-client.ts";
import { withoutPostgres } from "../support/postgres.ts";

const lines = 8_000;
const latencyMs = 500;

describe.skipIf(withoutPostgres !== null)(
  `processes on one database that are restarted one after another ${withoutPostgres ?? ""}`,
  () => {
    test.for(["directory", "s3"] as const)(
      "repeat no call that takes less than their grace, with files in %s",
      async (on) => {
        await using cluster = await startCluster({ latencyMs, concurrency: 8, on });
        const { upstream } = cluster;
        const olds = ["s1", "s2", "w1", "w2"];
        const started = await Promise.all(olds.map((key) => start(cluster, key)));
        const id = await createBatch(started[0]?.url ?? "", lines);
        // Each has calls in flight when its turn comes.
        await Promise.all(olds.map((key) => upstream.untilAnswered(key, 20)));

        let url = "";
        for (const [nth, { process }] of started.entries()) {
          process.child.kill("SIGTERM");
          expect(await process.ended).toMatchObject({ code: 0 });
          const key = `${olds[nth]}-new`;
          const replaced = await start(cluster, key);
          url = replaced.url ?? url;
          // The next one goes when this one has taken over.
          await upstream.untilAnswered(key, 20);
        }

        const { output_file_id, request_counts, status } = await final(url, id);
        expect(status).toBe("completed");
        expect(request_counts).toEqual({ total: lines, completed: lines, failed: 0 });
        const output = await (await clientOf(url).files.content(output_file_id ?? "")).text();
        const ids = output
          .split("\n")
          .filter(Boolean)
          .map((line) => JSON.parse(line).custom_id);
        expect(ids).toEqual(Array.from({ length: lines }, (_, line) => `r${line}`));
        const prompts = upstream.calls.map(({ prompt }) => prompt);
        expect(prompts.length - new Set(prompts).size).toBe(0);
        expect(prompts).toHaveLength(lines);
      },
    );

    test("go on when a newer one has migrated the database, and are refused when they start again", async () => {
      await using cluster = await startCluster({ latencyMs: 0, concurrency: 8 });
      const { url, process } = await cluster.serve("s1");
      const newer = "insert into nerif_schema (version, name) values (99, 'future')";
      await cluster.postgres.query(cluster.databaseUrl, newer);
      expect(await final(url, await createBatch(url, 600))).toMatchObject({ status: "completed" });
      process.child.kill("SIGTERM");
      expect(await process.ended).toMatchObject({ code: 0 });
      for (const command of [["serve", "--port", "0"], ["worker"]]) {
        const { code, stderr } = await cluster.refused(command);
        expect(code).toBe(2);
        expect(stderr).toMatch(
          /Cannot open the database: it has schema version 99, newer than this Nerif's \d+\n/,
        );
      }
    });
  },
);

/** A server where the key begins so, else a worker. */
async function start(cluster: Cluster, key: string): Promise<{ process: CliProcess; url?: string }> {
  return key.startsWith("s") ? cluster.serve(key) : { process: await cluster.worker(key) };
}

async function final(url: string, id: string) {
  await (await fetch(`${url}/v1/batches/${id}/results?follow=true`)).text();
  return clientOf(url).batches.retrieve(id);
}
