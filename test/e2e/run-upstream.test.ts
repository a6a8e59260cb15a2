import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { createCliWorkspace, requestFile } from "../support/cli-workspace.ts";
import { freePort } from "../support/free-port.ts";

describe("nerif run, when the upstream", () => {
  it("cannot be reached for 10 s, exits with 2, and runs when it is back", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const gone = await freePort();
    const url = `http://127.0.0.1:${gone}/v1`;
    const result = await work.run(["run", "in.jsonl", "--upstream", url]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/m at \S+ waits: The upstream cannot be reached/);
    expect(result.stderr).toMatch(
      /nerif: Cannot run: The upstream cannot be reached: .*; nothing was sent\. --wait waits for it/,
    );
    expect(work.has("in.output.jsonl")).toBe(false);
    expect((await work.run(["run", "in.jsonl"])).code).toBe(0);
    expect(work.lines("in.output.jsonl")).toHaveLength(3);
  });

  it("cannot be reached, leaves the file of failed lines to a run with another output", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const url = `http://127.0.0.1:${await freePort()}/v1`;
    expect((await work.run(["run", "in.jsonl", "--upstream", url])).code).toBe(2);
    expect(readdirSync(work.path("data/runs"))).toEqual([]);
    const other = await work.run(["run", "in.jsonl", "-o", "other.jsonl"]);
    expect([other.code, other.stderr]).toEqual([0, expect.not.stringContaining("errors")]);
    expect(work.lines("other.jsonl")).toHaveLength(3);
  });

  it("has got nothing yet when Ctrl-C comes, leaves nothing behind that a run with another output would meet", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const run = work.start([
      "run",
      "in.jsonl",
      "--wait",
      "--upstream",
      `http://127.0.0.1:${await freePort()}/v1`,
    ]);
    await run.printed(/waits: The upstream cannot be reached/);
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
    expect(readdirSync(work.path("data/runs"))).toEqual([]);
    expect((await work.run(["run", "in.jsonl", "-o", "other.jsonl"])).code).toBe(0);
  });

  it("comes up while it waits with --wait, runs", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(3));
    const port = await freePort();
    const run = work.start(["run", "in.jsonl", "--wait", "--upstream", `http://127.0.0.1:${port}/v1`]);
    await run.printed(/waits: The upstream cannot be reached/);
    const late = createSimulator();
    await late.listen(port);
    expect((await run.ended).code).toBe(0);
    await late.close();
    expect(work.lines("in.output.jsonl")).toHaveLength(3);
  });

  it("refuses the key, exits with 5, keeps every line, and goes on with the right one", async () => {
    await using work = await createCliWorkspace({ apiKey: "right" });
    work.write("in.jsonl", requestFile(30));
    const args = ["run", "in.jsonl", "--upstream-api-key-env", "MODEL_KEY"];
    const refused = await work.run(args, { env: { MODEL_KEY: "wrong-key" } });
    expect(refused.code).toBe(5);
    expect(refused.stderr).toMatch(/nerif: Cannot go on: the upstream refuses the account/);
    expect(refused.stderr).not.toContain("wrong-key");
    expect(work.has("in.output.jsonl")).toBe(false);
    const result = await work.run(args, { env: { MODEL_KEY: "right" } });
    expect(result.code).toBe(0);
    expect(work.lines("in.output.jsonl")).toHaveLength(30);
  });

  it("is named with a key's variable that is not set, is refused before anything is sent", async () => {
    await using work = await createCliWorkspace();
    work.write("in.jsonl", requestFile(1));
    const result = await work.run(["run", "in.jsonl", "--upstream-api-key-env", "NO_SUCH_KEY"]);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(/NO_SUCH_KEY/);
    expect(work.sent()).toEqual([]);
  });
});
