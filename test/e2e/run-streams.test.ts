import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { createCliWorkspace, parseLines, type ResultLine, requestFile } from "../support/cli-workspace.ts";

function withOneMissing(count: number): string {
  return requestFile(count, (request, index) =>
    index === 1 ? { ...request, body: { ...request.body, model: "missing" } } : request,
  );
}

function idsOf(text: string): string[] {
  return parseLines(text).map((line: ResultLine) => line.custom_id);
}

describe("nerif run -", () => {
  it("reads stdin and writes stdout, failed lines in their place", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    const result = await work.run(["run", "-"], { stdin: withOneMissing(4) });
    expect(result.code).toBe(3);
    expect(idsOf(result.stdout)).toEqual(["r0", "r1", "r2", "r3"]);
    expect(parseLines(result.stdout)[1]).toMatchObject({ error: { code: "model_not_found" } });
    expect(result.stderr).toMatch(/4 lines: 3 succeeded, 1 failed/);
  });

  it("writes the results again when it is finished already, and sends nothing", async () => {
    await using work = await createCliWorkspace();
    const first = await work.run(["run", "-"], { stdin: requestFile(4) });
    const again = await work.run(["run", "-"], { stdin: requestFile(4) });
    expect(again).toMatchObject({ code: 0, stdout: first.stdout });
    expect(again.stderr).toMatch(/finished already/);
    expect(work.sent()).toHaveLength(4);
    expect((await work.run(["run", "-"], { stdin: requestFile(5) })).code).toBe(0);
    expect(work.sent()).toHaveLength(9);
  });

  it("keeps failed lines apart with --errors", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    const result = await work.run(["run", "-", "--errors", "bad.jsonl"], { stdin: withOneMissing(3) });
    expect(idsOf(result.stdout)).toEqual(["r0", "r2"]);
    expect(work.lines("bad.jsonl")).toHaveLength(1);
  });

  it("writes a file with -o, and refuses other text for it", async () => {
    await using work = await createCliWorkspace();
    const args = ["run", "-", "-o", "out.jsonl"];
    expect((await work.run(args, { stdin: requestFile(3) })).code).toBe(0);
    expect((await work.run(args, { stdin: requestFile(3) })).code).toBe(0);
    expect(work.sent()).toHaveLength(3);
    const other = await work.run(args, { stdin: requestFile(4) });
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/out\.jsonl: it belongs to a run of another input/);
    expect(work.lines("out.jsonl")).toHaveLength(3);
  });

  it("refuses empty stdin", async () => {
    await using work = await createCliWorkspace();
    const result = await work.run(["run", "-"], { stdin: "" });
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toMatch(/empty_file/);
  });

  it("runs the first lines with --limit", async () => {
    await using work = await createCliWorkspace();
    const result = await work.run(["run", "-", "--limit", "2"], { stdin: requestFile(9) });
    expect(idsOf(result.stdout)).toEqual(["r0", "r1"]);
  });

  it("puts events on stderr when the results go to stdout", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(2));
    const result = await work.run(["run", "in.jsonl", "-o", "-", "--json"]);
    expect(idsOf(result.stdout)).toEqual(["r0", "r1"]);
    const events = parseLines(result.stderr);
    expect(events[0]).toMatchObject({ event: "started", output: null });
    expect(events.at(-1)).toMatchObject({ event: "finished", exit_code: 0, output: null });
  });

  it("puts only the failed lines on stdout with -o FILE --errors -", async () => {
    await using work = await createCliWorkspace({ models: ["m"] });
    const result = await work.run(["run", "-", "-o", "out.jsonl", "--errors", "-"], {
      stdin: withOneMissing(3),
    });
    expect(idsOf(result.stdout)).toEqual(["r1"]);
    expect(work.lines("out.jsonl").map((line) => line.custom_id)).toEqual(["r0", "r2"]);
  });

  it("keeps the results when the reader of stdout goes away", async () => {
    await using work = await createCliWorkspace();
    const big = requestFile(2_000);
    const run = work.start(["run", "-"], { stdin: big });
    run.child.stdout?.destroy();
    const [code] = await once(run.child, "exit");
    expect(code).toBe(1);
    expect(run.output().stderr).toMatch(/the reader of stdout went away; the same command writes them again/);
    const again = await work.run(["run", "-"], { stdin: big });
    expect(again.code).toBe(0);
    expect(idsOf(again.stdout)).toHaveLength(2_000);
    expect(work.sent()).toHaveLength(2_000);
  });
});
