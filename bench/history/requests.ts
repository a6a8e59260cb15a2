import { ask, create, deepCursor } from "./client.ts";
import { cpuMs } from "./cpu.ts";

export interface RequestOptions {
  /** Of the server. */
  pid: number;
  /** A file to make batches of. */
  input: string;
  rounds: number;
  /** How many have ended; `run-0` and so on is the metadata of each. */
  batches: number;
}

/** Asks for everything, one request after another. */
export async function measureRequests(url: string, options: RequestOptions): Promise<void> {
  for (const [name, request] of await kinds(url, options)) {
    const times: number[] = [];
    const cpu = cpuMs(options.pid);
    for (let round = 0; round < options.rounds; round += 1) {
      const begin = performance.now();
      await request(round);
      times.push(performance.now() - begin);
    }
    const used = ((cpuMs(options.pid) - cpu) / options.rounds).toFixed(1);
    const [median, p99] = [0.5, 0.99].map((part) => quantile(times, part).toFixed(1));
    console.log(`| ${name} | ${median} ms | ${p99} ms | ${used} ms |`);
  }
}

async function kinds(
  url: string,
  { input, batches }: RequestOptions,
): Promise<[string, (round: number) => Promise<unknown>][]> {
  const { data } = await ask(`${url}/v1/batches?limit=100`);
  const [, open, created_at] = [data[0], data[1]?.id, data[1]?.created_at ?? 0];
  const [deep, deepFile] = [await deepCursor(url, "batches"), await deepCursor(url, "files")];
  const list = (query: string) => ask(`${url}/v1/batches?${query}`);
  const files = (query: string) => ask(`${url}/v1/files?limit=100&${query}`);
  const text = async (path: string) => (await fetch(`${url}${path}`)).text();
  return [
    ["create a batch", () => create(url, input)],
    ["retrieve one that waits", () => ask(`${url}/v1/batches/${open}`)],
    ["retrieve one that has ended", () => ask(`${url}/v1/batches/${deep}`)],
    ["progress of one that waits", () => ask(`${url}/v1/batches/${open}/progress`)],
    ["list, 20 newest", () => list("")],
    ["list, 100 newest", () => list("limit=100")],
    ["list, 20 after 5,000", () => list(`after=${deep}`)],
    ["list, `status=completed`", () => list("status=completed")],
    ["list, `status=expired` (none)", () => list("status=expired")],
    ["list, `created_before`", () => list(`created_before=${created_at - 86_400}`)],
    ["list, `metadata[team]` (1 in 20)", (nth) => list(`metadata[team]=team-${nth % 20}`)],
    ["list, `metadata[run]` (one)", (nth) => list(`metadata[run]=run-${nth % batches}`)],
    ["list, `metadata[run]` (none)", () => list("metadata[run]=nobody")],
    ["files, 100 newest", () => files("")],
    ["files, 100 after 5,000", () => files(`after=${deepFile}`)],
    ["files, 100 oldest", () => files("order=asc")],
    ["files, `purpose=user_data` (none)", () => files("purpose=user_data")],
    ["`/readyz`", () => text("/readyz")],
    ["`/metrics`", () => text("/metrics")],
  ];
}

function quantile(times: readonly number[], part: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(part * (times.length - 1))] ?? 0;
}
