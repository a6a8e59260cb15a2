import { once } from "node:events";
import { openAsBlob } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { launch, type Usage } from "../measure/measure.ts";
import type { Bench } from "../row.ts";

/** `nerif serve` on a new data directory: a file uploaded, a batch created and waited for, and the server ended. */
export async function nerifServe(
  bench: Bench,
  options: { input: string; lines: number; inFlight: number },
): Promise<Usage> {
  const { input, lines, inFlight } = options;
  const data = join(bench.scratch, "serve");
  const args = [...["--port", "0", "--json", "--log-level", "warn"], ...["--concurrency", String(inFlight)]];
  const command = [process.execPath, bench.nerif, "serve", ...args, "--data-dir", data];
  const { child, stdout, used } = launch([...command, "--upstream", bench.upstream.url(0)]);
  const url = await Promise.race([listening(stdout), used.then(() => Promise.reject(new Error("It ended")))]);
  const begin = performance.now();
  const batch = await createBatch(url, input);
  const { completed } = await finalCounts(url, batch);
  const seconds = (performance.now() - begin) / 1_000;
  child.kill("SIGTERM");
  const usage = await used;
  await rm(data, { recursive: true });
  if (completed !== lines) throw new Error(`${completed} of ${lines} requests were completed`);
  return { ...usage, seconds };
}

/** The address of a server that was started with `--json`. */
export async function listening(stdout: NodeJS.ReadableStream): Promise<string> {
  const [line] = (await once(createInterface({ input: stdout }), "line")) as [string];
  return (JSON.parse(line) as { url: string }).url;
}

/** Uploads a file and creates a batch of it; its id. */
export async function createBatch(url: string, input: string): Promise<string> {
  return createBatchOf(url, await upload(url, input));
}

export async function upload(url: string, input: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", await openAsBlob(input), "input.jsonl");
  return idIn(await fetch(`${url}/v1/files`, { method: "POST", body: form }));
}

export async function createBatchOf(url: string, input_file_id: string): Promise<string> {
  const batch = { input_file_id, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const headers = { "content-type": "application/json" };
  return idIn(await fetch(`${url}/v1/batches`, { method: "POST", headers, body: JSON.stringify(batch) }));
}

async function idIn(response: Response): Promise<string> {
  if (!response.ok) throw new Error(`The server answers ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { id: string }).id;
}

export async function finalCounts(url: string, batch: string): Promise<{ completed: number }> {
  for (;;) {
    const response = await fetch(`${url}/v1/batches/${batch}`);
    const { status, request_counts } = (await response.json()) as {
      status: string;
      request_counts: { completed: number };
    };
    if (!["validating", "in_progress", "finalizing"].includes(status)) return request_counts;
    await sleep(100);
  }
}
