import { watch } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { CliProcess } from "../support/cli-process.ts";
import { type CliWorkspace, createCliWorkspace, requestFile } from "../support/cli-workspace.ts";

const lines = 50_000;
const inFlight = 64;
const kills = 10;
/** At least so many further answers before each kill. */
const answersBetween = 500;

/**
 * A kill -9 may repeat the calls in flight and the answers of one turn of the event loop, of which there are at
 * most as many as calls in flight.
 */
const repeatsPerKill = 2 * inFlight;

describe("kill -9", () => {
  test("nerif run goes on after ten kills as if nothing had been", async () => {
    await using workspace = await createCliWorkspace({ latency: { kind: "fixed", ms: 200 } });
    workspace.write("in.jsonl", requestFile(lines));
    const args = ["run", "in.jsonl", "--concurrency", String(inFlight)];
    for (let kill = 1; kill <= kills; kill++)
      await killAfter(workspace, workspace.start(args), answersBetween);

    const last = await workspace.run(args);
    expect(last.stderr).toContain("50,000 succeeded, 0 failed");
    expect(last.code).toBe(0);
    checkRepeats(workspace, "run");
    expect(withoutIds(workspace.read("in.output.jsonl"))).toEqual(await unkilled(workspace));
  });

  test("nerif serve goes on after ten kills as if nothing had been", async () => {
    await using workspace = await createCliWorkspace({ latency: { kind: "fixed", ms: 200 } });
    workspace.write("in.jsonl", requestFile(lines));
    const serve = async (port: number) => {
      const server = workspace.start(["serve", "--port", String(port), "--concurrency", String(inFlight)]);
      await server.printed(/http:\/\/127\.0\.0\.1:\d+/);
      const { stdout, stderr } = server.output();
      return { server, url: `${/http:\/\/127\.0\.0\.1:\d+/.exec(stdout + stderr)?.[0]}/v1` };
    };
    let { server, url } = await serve(0);
    const port = Number(new URL(url).port);
    const form = new FormData();
    form.set("purpose", "batch");
    form.set("file", new Blob([workspace.read("in.jsonl")]), "in.jsonl");
    const file = await json(`${url}/files`, { method: "POST", body: form });
    const batch = await json(`${url}/batches`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        input_file_id: file.id,
        endpoint: "/v1/chat/completions",
        completion_window: "24h",
      }),
    });
    for (let kill = 1; kill <= kills; kill++) {
      await killAfter(workspace, server, answersBetween);
      ({ server, url } = await serve(port));
    }
    const results = await fetch(`${url}/batches/${batch.id}/results?follow=true`);
    await results.arrayBuffer();
    const done = await json(`${url}/batches/${batch.id}`);
    expect(done).toMatchObject({
      status: "completed",
      error_file_id: null,
      request_counts: { total: lines, completed: lines, failed: 0 },
    });
    checkRepeats(workspace, "serve");
    const output = await (await fetch(`${url}/files/${done.output_file_id}/content`)).text();
    expect(withoutIds(output)).toEqual(await unkilled(workspace));
  });
});

async function killAfter(workspace: CliWorkspace, process: CliProcess, answers: number): Promise<void> {
  const answered = () => workspace.simulator.served.answers["200"] ?? 0;
  const enough = answered() + answers;
  // The simulator writes each request down before it answers.
  for await (const _ of watch(workspace.path("requests.log"))) if (answered() >= enough) break;
  process.child.kill("SIGKILL");
  expect((await process.ended).signal).toBe("SIGKILL");
}

function checkRepeats({ simulator, lines: read }: CliWorkspace, door: string): void {
  const sent = read("requests.log").length;
  const repeats = sent - lines;
  console.log(`nerif ${door}: ${sent} calls for ${lines} lines over ${kills} kills, ${repeats} repeated`);
  expect(simulator.served.requests).toBe(sent);
  expect(repeats).toBeGreaterThanOrEqual(0);
  expect(repeats).toBeLessThanOrEqual(kills * repeatsPerKill);
}

/** What the same input gives when nobody kills anything, in a directory of its own and without latency. */
async function unkilled(killed: CliWorkspace): Promise<string[]> {
  await using workspace = await createCliWorkspace();
  workspace.write("in.jsonl", killed.read("in.jsonl"));
  expect((await workspace.run(["run", "in.jsonl"])).code).toBe(0);
  return withoutIds(workspace.read("in.output.jsonl"));
}

/** Result lines without what names the batch or the call. */
function withoutIds(text: string): string[] {
  return text.split("\n").map((line) => {
    if (line === "") return line;
    const { custom_id, response, error } = JSON.parse(line);
    return JSON.stringify({ custom_id, status: response.status_code, body: response.body, error });
  });
}

async function json(url: string, init?: RequestInit): Promise<Record<string, unknown>> {
  const response = await fetch(url, init);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}
