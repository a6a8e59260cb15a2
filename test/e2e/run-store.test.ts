import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { openNerif } from "../../src/compose.ts";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

const slow = { latency: { kind: "fixed", ms: 20 }, models: ["m"] } as const;

describe("the store of a run that was killed", () => {
  it("is ended by nerif batches wait, with the results where the run was to write them", async () => {
    await using work = await createCliWorkspace(slow);
    const { store, batch } = await killed(work);
    const waited = await work.run(["batches", "wait", batch, "--data-dir", store]);
    expect(waited.code).toBe(3);
    expect(work.lines("in.output.jsonl")).toHaveLength(99);
    expect(work.lines("in.errors.jsonl")).toHaveLength(1);

    const retried = JSON.parse(
      (await work.run(["batches", "retry", batch, "--data-dir", store, "--json"])).stdout,
    );
    expect((await work.run(["batches", "wait", retried.id, "--data-dir", store])).code).toBe(3);
    const results = await work.run(["batches", "results", retried.id, "--data-dir", store]);
    expect(JSON.parse(results.stdout)).toMatchObject({ custom_id: "r1" });
    // The results of a retry are not those of the run.
    expect(work.lines("in.output.jsonl")).toHaveLength(99);

    const again = await work.run(["run", "in.jsonl"]);
    expect([again.code, again.stderr]).toEqual([3, expect.stringMatching(/99 succeeded, 1 failed/)]);
    expect(work.lines("in.output.jsonl")).toHaveLength(99);
  });

  it("is ended by nerif batches cancel likewise", async () => {
    await using work = await createCliWorkspace(slow);
    const { store, batch } = await killed(work);
    const cancelled = await work.run(["batches", "cancel", batch, "--data-dir", store]);
    expect(cancelled.stdout).toMatch(/cancelled/);
    const done = work.lines("in.output.jsonl").length;
    expect(done + work.lines("in.errors.jsonl").length).toBe(100);
    expect((await work.run(["run", "in.jsonl"])).code).toBe(4);
  });

  it("does not pass for one with results when those were written elsewhere", async () => {
    await using work = await createCliWorkspace(slow);
    const { store, batch } = await killed(work);
    const opened = await openNerif({ dataDir: store, upstream: work.url });
    await opened.service.batches.wait("default", batch);
    await opened.close();
    const refused = await work.run(["run", "in.jsonl"]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/Cannot show the results of this run: .*in\.output\.jsonl is gone/),
    ]);
  });
});

/** A run of 100 lines, of which the second fails, killed in the middle. */
async function killed(work: CliWorkspace): Promise<{ store: string; batch: string }> {
  const missing = (request: { body: object }) => ({
    ...request,
    body: { ...request.body, model: "missing" },
  });
  work.write(
    "in.jsonl",
    requestFile(100, (request, index) => (index === 1 ? missing(request) : request)),
  );
  const run = work.start(["run", "in.jsonl", "--concurrency", "4"]);
  await vi.waitUntil(() => work.sent().length >= 20, { timeout: 25_000, interval: 5 });
  run.child.kill("SIGKILL");
  await run.ended;
  const name = readdirSync(work.path("data/runs")).find((entry) => /^[0-9a-f]{64}$/.test(entry)) ?? "";
  const record = JSON.parse(work.read(join("data/runs", name, "run.json")));
  return { store: work.path(join("data/runs", name)), batch: record.batch_id };
}
