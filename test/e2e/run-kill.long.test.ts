import { describe, expect, it } from "vitest";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

const lines = 40;
const inFlight = 8;
const ids = Array.from({ length: lines }, (_, index) => `r${index}`);

describe("nerif run, killed at any moment of a short run,", () => {
  it.each([
    ["a file", ["run", "in.jsonl"], 40],
    ["stdin", ["run", "-", "-o", "in.output.jsonl"], 20],
    ["the first lines", ["run", "in.jsonl", "--limit", String(lines)], 20],
  ])("still runs every line of %s once", async (_name, args, rounds) => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 25 } });
    const stdin = requestFile(lines);
    work.write("in.jsonl", stdin);
    const command = [...args, "--concurrency", String(inFlight)];
    let kills = 0;
    for (let round = 0; round < rounds; round += 1) {
      const run = work.start(command, { stdin });
      // From the first module that is loaded to the last rename: a run takes about a second.
      const kill = setTimeout(() => run.child.kill("SIGKILL"), 150 + (1_100 * round) / rounds);
      const { signal, code, stderr } = await run.ended;
      clearTimeout(kill);
      if (signal === null) expect(code, stderr).toBe(0);
      else kills += 1;
    }
    const last = await work.run(command, { stdin });
    expect(last.code, last.stderr).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(ids);
    expect(work.has("in.errors.jsonl")).toBe(false);
    expect(work.sent().length).toBeLessThanOrEqual(lines + kills * 2 * inFlight);
    expect(kills).toBeGreaterThan(0);
  });

  it("leaves either the old results or the new ones with --force", async () => {
    await using work = await createCliWorkspace({ latency: { kind: "fixed", ms: 25 } });
    work.write("in.jsonl", requestFile(lines));
    work.write("in.output.jsonl", "somebody else's\n");
    const command = ["run", "in.jsonl", "--force", "--concurrency", String(inFlight)];
    for (let round = 0; round < 20; round += 1) {
      const run = work.start(command);
      const kill = setTimeout(() => run.child.kill("SIGKILL"), 300 + 50 * round);
      await run.ended;
      clearTimeout(kill);
      const text = work.read("in.output.jsonl");
      if (text !== "somebody else's\n") {
        expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(ids);
      }
    }
    // On a slow machine none of them may have got so far, and the file is somebody else's still.
    const isReplaced = work.read("in.output.jsonl") !== "somebody else's\n";
    const last = await work.run(isReplaced ? ["run", "in.jsonl"] : command);
    expect(last.code, last.stderr).toBe(0);
    expect(work.lines("in.output.jsonl").map((line) => line.custom_id)).toEqual(ids);
  });
});
