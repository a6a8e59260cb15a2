import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";
import { freePort } from "../support/free-port.ts";

const slow = { latency: { kind: "fixed", ms: 20 } } as const;
const ids = (count: number) => Array.from({ length: count }, (_, index) => `r${index}`);

describe("nerif run, killed or interrupted,", () => {
  it("goes on after SIGKILL, and repeats no more than what was in flight", async () => {
    await using work = await createCliWorkspace(slow);
    work.write("in.jsonl", requestFile(400));
    const kills = 3;
    for (let kill = 1; kill <= kills; kill += 1) {
      const run = work.start(["run", "in.jsonl", "--concurrency", "8"]);
      await answered(work, kill * 90);
      run.child.kill("SIGKILL");
      expect((await run.ended).signal).toBe("SIGKILL");
      expect(work.has("in.output.jsonl")).toBe(false);
    }
    const last = await work.run(["run", "in.jsonl", "--concurrency", "8"]);
    expect(last.stderr).toMatch(/Going on with/);
    expect(last.code).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(ids(400));
    // In flight, and answered within one turn of the event loop, at each kill.
    expect(work.sent().length).toBeLessThanOrEqual(400 + kills * 16);
  });

  it("drains at Ctrl-C, says how to go on, and sends nothing twice", async () => {
    await using work = await createCliWorkspace(slow);
    work.write("in.jsonl", requestFile(200));
    const run = work.start(["run", "in.jsonl", "--concurrency", "8"]);
    await answered(work, 30);
    run.child.kill("SIGINT");
    const interrupted = await run.ended;
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toMatch(
      /Interrupted\. \d+ of 200 lines are done and kept\. Run the same command again to go on\./,
    );
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(ids(200));
    expect(work.sent()).toHaveLength(200);
  });

  it("stops at once at the second Ctrl-C", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("in.jsonl", requestFile(4));
    const run = work.start(["run", "in.jsonl"]);
    await answered(work, 0, () => work.simulator.served.requests === 4);
    run.child.kill("SIGINT");
    await run.printed(/Stopping; calls in flight get 5 s/);
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
  });

  it("gives calls in flight the shutdown grace at SIGTERM", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 400 } });
    work.write("in.jsonl", requestFile(100));
    const run = work.start(["run", "in.jsonl", "--concurrency", "4"]);
    await answered(work, 4);
    run.child.kill("SIGTERM");
    const ended = await run.ended;
    expect(ended.stderr).toMatch(/calls in flight get 30 s/);
    expect(ended.code).toBe(130);
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
    expect(work.sent()).toHaveLength(100);
  });

  it("keeps what it has done apart from a file that appears under its output's name meanwhile", async () => {
    await using work = await createCliWorkspace(slow);
    work.write("in.jsonl", requestFile(100));
    const run = work.start(["run", "in.jsonl", "--concurrency", "4"]);
    await answered(work, 20);
    run.child.kill("SIGKILL");
    await run.ended;
    work.write("in.output.jsonl", "somebody else's\n");
    const refused = await work.run(["run", "in.jsonl"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/in\.output\.jsonl: it exists/);
    expect(work.read("in.output.jsonl")).toBe("somebody else's\n");
  });

  it("refuses to go on when its input has changed, and goes on when it was only touched", async () => {
    await using work = await createCliWorkspace(slow);
    work.write("in.jsonl", requestFile(100));
    const run = work.start(["run", "in.jsonl", "--concurrency", "4"]);
    await answered(work, 20);
    run.child.kill("SIGKILL");
    await run.ended;
    const sent = work.sent().length;
    work.write("in.jsonl", requestFile(101));
    const refused = await work.run(["run", "in.jsonl"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/it has changed since its run began/);
    expect(work.sent()).toHaveLength(sent);
    work.write("in.jsonl", requestFile(100));
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(ids(100));
  });

  it("stops with 1 when somebody writes to its input after calls were sent", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("in.jsonl", requestFile(20));
    const run = work.start(["run", "in.jsonl"]);
    await vi.waitUntil(() => work.simulator.served.peakInFlight > 0, { timeout: 25_000, interval: 5 });
    work.write("in.jsonl", requestFile(21));
    const ended = await run.ended;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/Cannot go on with .*in\.jsonl: it was changed or removed/);
  });

  it("starts anew with --force where the record of the run is damaged, and refuses without", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    await work.run(["run", "in.jsonl"]);
    const [store = ""] = readdirSync(work.path("data/runs")).filter((name) => /^[0-9a-f]{64}$/.test(name));
    writeFileSync(join(work.path("data/runs"), store, "run.json"), "{");
    const refused = await work.run(["run", "in.jsonl"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/run\.json is damaged; --force starts anew/);
    expect((await work.run(["run", "in.jsonl", "--force"])).code).toBe(0);
  });
});

it("of two runs that begin at once with one file for failed lines one is refused", async () => {
  await using work = await createCliWorkspace({ hangRate: 1 });
  work.write("in.jsonl", requestFile(3));
  const args = ["run", "in.jsonl", "--errors", "errors.jsonl"];
  const refused = await Promise.race(["a.jsonl", "b.jsonl"].map((name) => work.run([...args, "-o", name])));
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/Cannot write the failed lines to .*errors\.jsonl: the run with the output/);
});

it("a run that may not have its file for failed lines gives nothing of an earlier one up, also with --force", async () => {
  await using work = await createCliWorkspace({ models: ["m"] });
  work.write("in.jsonl", requestFile(3));
  expect((await work.run(["run", "in.jsonl", "-o", "b.jsonl"])).code).toBe(0);
  work.write("other.jsonl", requestFile(4));
  const held = work.start([
    ...["run", "other.jsonl", "--errors", "errors.jsonl", "--wait", "--upstream"],
    `http://127.0.0.1:${await freePort()}/v1`,
  ]);
  await held.printed(/waits/);
  const refused = await work.run(["run", "in.jsonl", "-o", "b.jsonl", "--errors", "errors.jsonl", "--force"]);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/the run with the output/)]);
  const again = await work.run(["run", "in.jsonl", "-o", "b.jsonl"]);
  expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/finished already/)]);
});

describe("nerif run --deadline", () => {
  it("ends with 4 and reports what was not done as expired", async () => {
    await using work = await createCliWorkspace({ hangRate: 1 });
    work.write("in.jsonl", requestFile(3));
    const result = await work.run(["run", "in.jsonl", "--deadline", "1s"]);
    expect(result.code).toBe(4);
    expect(result.stderr).toMatch(/Past the deadline .*3 lines: 0 succeeded, 0 failed, 3 not done/);
    expect(work.lines("in.errors.jsonl").map((line) => line.error?.code)).toEqual(
      Array(3).fill("batch_expired"),
    );
    const again = await work.run(["run", "in.jsonl", "--deadline", "1s"]);
    expect(again.code).toBe(4);
  });

  it("keeps its store although nothing was sent: its results can be asked for and retried", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const nowhere = `http://127.0.0.1:${await freePort()}/v1`;
    const args = ["run", "in.jsonl", "--wait", "--deadline", "1s", "--upstream", nowhere];
    expect((await work.run(args)).code).toBe(4);
    expect(work.lines("in.errors.jsonl")).toHaveLength(3);
    const again = await work.run(args);
    expect([again.code, again.stderr]).toEqual([4, expect.stringMatching(/finished already/)]);
  });

  it("does not count the time in which it was not running", async () => {
    await using work = await createCliWorkspace(slow);
    work.write("in.jsonl", requestFile(60));
    const run = work.start(["run", "in.jsonl", "--concurrency", "2", "--deadline", "1h"]);
    await answered(work, 10);
    run.child.kill("SIGKILL");
    await run.ended;
    const record = JSON.parse(work.read(join("data/runs", storeName(work), "run.json")));
    // As if it had begun two hours ago and been killed right away.
    const long = { ...record, created_at: record.created_at - 7_200_000 };
    writeFileSync(work.path(join("data/runs", storeName(work), "run.json")), JSON.stringify(long));
    expect((await work.run(["run", "in.jsonl", "--deadline", "1h"])).code).toBe(0);
    expect(work.lines("in.output.jsonl")).toHaveLength(60);
  });

  it("counts the time of earlier processes", async () => {
    await using work = await createCliWorkspace(slow);
    work.write("in.jsonl", requestFile(60));
    const run = work.start(["run", "in.jsonl", "--concurrency", "2"]);
    await answered(work, 10);
    run.child.kill("SIGKILL");
    await run.ended;
    const path = work.path(join("data/runs", storeName(work), "run.json"));
    const record = JSON.parse(work.read(join("data/runs", storeName(work), "run.json")));
    writeFileSync(path, JSON.stringify({ ...record, elapsed_ms: 3_600_000 }));
    const sent = work.sent().length;
    const result = await work.run(["run", "in.jsonl", "--deadline", "1h"]);
    expect(result.code).toBe(4);
    expect(work.sent()).toHaveLength(sent);
    const done = work.lines("in.output.jsonl").length;
    expect(done).toBeGreaterThan(0);
    expect(done + work.lines("in.errors.jsonl").length).toBe(60);
  });
});

function storeName(work: CliWorkspace): string {
  return readdirSync(work.path("data/runs")).find((name) => /^[0-9a-f]{64}$/.test(name)) ?? "";
}

/** Waits until the simulator has answered so many calls. */
async function answered(
  work: CliWorkspace,
  count: number,
  isSo = () => work.sent().length >= count,
): Promise<void> {
  await vi.waitUntil(isSo, { timeout: 25_000, interval: 5 });
}
