import { describe, expect, it, vi } from "vitest";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

/** 400 requests with 100 different bodies, each of which comes four times. */
const input = requestFile(400, (request, index) => ({
  ...request,
  body: { model: "m", messages: [{ role: "user", content: `Say ${index % 100}` }], temperature: 0 },
}));

describe("nerif run --dedupe", () => {
  it("sends equal requests once, survives SIGKILL, and its files add up", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 20 } });
    work.write("in.jsonl", input);
    const args = ["run", "in.jsonl", "--dedupe", "--concurrency", "4"];
    const run = work.start(args);
    await sent(work, 30);
    run.child.kill("SIGKILL");
    await run.ended;

    const other = await work.run(["run", "in.jsonl"]);
    expect(other.stderr).toMatch(/it belongs to a run with --dedupe; --force starts anew/);
    expect(other.code).toBe(2);

    const last = await work.run([...args, "--json"]);
    expect(last.stdout).toContain('"total":400,"completed":400,"failed":0');
    expect(last.code).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(
      Array.from({ length: 400 }, (_, index) => `r${index}`),
    );
    // In flight, and answered within one turn of the event loop, at the kill.
    expect(work.sent().length).toBeLessThanOrEqual(100 + 8);
    expect(new Set(work.sent()).size).toBe(100);

    const verified = await work.run(["verify", "in.jsonl"]);
    expect(verified.stderr).toContain("in.jsonl adds up: 400 lines: 400 succeeded, 0 failed");
    expect(verified.code).toBe(0);
  });
});

async function sent(work: CliWorkspace, count: number): Promise<void> {
  await vi.waitFor(() => expect(work.simulator.served.requests).toBeGreaterThan(count), { timeout: 20_000 });
}
