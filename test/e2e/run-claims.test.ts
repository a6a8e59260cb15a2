import { rmSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

describe("nerif run refuses", () => {
  it("failed lines at the output of a run that is not finished", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("a.jsonl", requestFile(3));
    work.write("b.jsonl", requestFile(3));
    const held = work.start(["run", "a.jsonl", "-o", "x.jsonl"]);
    await held.printed(/Running/);
    const refused = await work.run(["run", "b.jsonl", "-o", "y.jsonl", "--errors", "x.jsonl"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /Cannot write the failed lines to .*x\.jsonl: the run with the output .*x\.jsonl .*another with --errors/,
    );
  });

  it("an output at which a run that is not finished writes its failed lines", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("a.jsonl", requestFile(3));
    work.write("b.jsonl", requestFile(3));
    const held = work.start(["run", "b.jsonl", "-o", "y.jsonl", "--errors", "x.jsonl"]);
    await held.printed(/Running/);
    const refused = await work.run(["run", "a.jsonl", "-o", "x.jsonl", "--force"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /Cannot write the results to .*x\.jsonl: the run with the output .*y\.jsonl .*another with -o/,
    );
  });

  it("to put failed lines in the place of those of another finished run, also with --force", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write("in.jsonl", requestFile(3));
    expect((await work.run(["run", "in.jsonl", "-o", "one.jsonl"])).code).toBe(0);
    work.write("in.jsonl", withOneMissing(3));
    expect((await work.run(["run", "in.jsonl", "-o", "two.jsonl"])).code).toBe(3);
    work.write("in.jsonl", requestFile(3));
    const refused = await work.run(["run", "in.jsonl", "-o", "one.jsonl", "--force"]);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/the run with the output .*two\.jsonl .*another with --errors/),
    ]);
    expect(work.lines("in.errors.jsonl")).toHaveLength(1);
    const elsewhere = ["run", "in.jsonl", "-o", "one.jsonl", "--errors", "one.errors.jsonl", "--force"];
    expect((await work.run(elsewhere)).code).toBe(0);
    // The run whose they are may replace them.
    expect((await work.run(["run", "in.jsonl", "-o", "two.jsonl", "--force"])).code).toBe(0);
    expect(work.has("in.errors.jsonl")).toBe(false);
  });

  it("to replace a file that appeared at its output while it ran, and writes there when that is gone", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 20 } });
    work.write("in.jsonl", requestFile(100));
    const run = work.start(["run", "in.jsonl", "--concurrency", "4"]);
    await answered(work, 20);
    work.write("in.output.jsonl", "somebody else's\n");
    const refused = await run.ended;
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/Cannot write .*in\.output\.jsonl: another file has appeared there/),
    ]);
    expect(work.read("in.output.jsonl")).toBe("somebody else's\n");
    rmSync(work.path("in.output.jsonl"));
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
    expect(work.lines("in.output.jsonl")).toHaveLength(100);
    expect(work.sent()).toHaveLength(100);
  });

  it("to hand out the results of a finished run as those of one with another --errors", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    work.write("in.jsonl", withOneMissing(3));
    const apart = await work.run(["run", "in.jsonl", "-o", "-", "--errors", "bad.jsonl"]);
    expect(apart.code).toBe(3);
    const together = await work.run(["run", "in.jsonl", "-o", "-"]);
    expect(together).toMatchObject({ code: 2, stdout: "" });
    expect(together.stderr).toMatch(/it belongs to a run with --errors .*bad\.jsonl/);
    expect((await work.run(["run", "in.jsonl"])).code).toBe(3);
    const failed = await work.run(["run", "in.jsonl", "--errors", "-"]);
    expect(failed).toMatchObject({ code: 2, stdout: "" });
  });
});

function withOneMissing(count: number): string {
  return requestFile(count, (request, index) =>
    index === 1 ? { ...request, body: { ...request.body, model: "missing" } } : request,
  );
}

/** Waits until the simulator has answered so many calls. */
async function answered(work: CliWorkspace, count: number): Promise<void> {
  await vi.waitUntil(() => work.sent().length >= count, { timeout: 25_000, interval: 5 });
}
