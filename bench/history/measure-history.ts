import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { killGroup, startCli } from "../../test/support/cli-process.ts";
import { requestLines } from "../../test/support/engine.ts";
import { freePort } from "../../test/support/free-port.ts";
import { fillHistory } from "../../test/support/history.ts";
import type { Place } from "./places.ts";

export interface HistorySize {
  lines: number;
  linesPerBatch: number;
  open: number;
  rounds: number;
}

const linesPerOpenBatch = 2_000;
const idleSeconds = 20;

export async function measureHistory(place: Place, size: HistorySize): Promise<void> {
  const batches = Math.ceil(size.lines / size.linesPerBatch);
  console.log(
    `${place.name}: ${batches} batches that have ended, ${size.lines} lines; ${size.open} that wait`,
  );
  const db = place.connect();
  const until = Math.floor(Date.now() / 1_000) - 3_600;
  await fillHistory(db, { batches, linesPerBatch: size.linesPerBatch, until });
  await sql.raw(place.analyze).execute(db);
  // Nobody listens there: everything waits.
  const upstream = `http://127.0.0.1:${await freePort()}/v1`;
  const cwd = process.env.TMPDIR ?? "/tmp";
  const server = startCli(
    ["serve", "--port", "0", "--json", "--log-level", "error", "--upstream", upstream, ...place.args],
    { cwd, group: true },
  );
  try {
    await server.printed(/"event":"listening"/);
    const { url } = JSON.parse(server.output().stdout) as { url: string };
    const input = await upload(url);
    for (let nth = 0; nth < size.open; nth += 1) await create(url, input);
    await untilWaiting(db, size.open);
    await sql.raw(place.analyze).execute(db);
    await idle(server.child.pid ?? 0);
    await requests(url, { input, rounds: size.rounds, batches });
  } finally {
    await killGroup(server);
    await db.destroy();
    await place.remove();
  }
}

async function requests(
  url: string,
  { input, rounds, batches }: { input: string; rounds: number; batches: number },
) {
  const first = await ask(`${url}/v1/batches?limit=100`);
  const open = first.data[1]?.id;
  const deep = await deepCursor(url, "batches");
  const deepFile = await deepCursor(url, "files");
  const created = first.data[0]?.created_at ?? 0;
  const kinds: [string, (round: number) => Promise<unknown>][] = [
    ["POST /v1/batches", () => create(url, input)],
    ["GET /v1/batches/{id}, open", () => ask(`${url}/v1/batches/${open}`)],
    ["GET /v1/batches/{id}, ended", () => ask(`${url}/v1/batches/${deep}`)],
    ["GET /v1/batches/{id}/progress", () => ask(`${url}/v1/batches/${open}/progress`)],
    ["GET /v1/batches", () => ask(`${url}/v1/batches`)],
    ["GET /v1/batches?limit=100", () => ask(`${url}/v1/batches?limit=100`)],
    ["GET /v1/batches?after=(deep)", () => ask(`${url}/v1/batches?after=${deep}`)],
    ["GET /v1/batches?status=completed", () => ask(`${url}/v1/batches?status=completed`)],
    ["GET /v1/batches?status=expired (none)", () => ask(`${url}/v1/batches?status=expired`)],
    [
      "GET /v1/batches?created_before=(old)",
      () => ask(`${url}/v1/batches?created_before=${created - 86_400}`),
    ],
    ["GET /v1/batches?metadata[team] (5 %)", (n) => ask(`${url}/v1/batches?metadata[team]=team-${n % 20}`)],
    ["GET /v1/batches?metadata[run] (one)", (n) => ask(`${url}/v1/batches?metadata[run]=run-${n % batches}`)],
    ["GET /v1/batches?metadata[run] (none)", () => ask(`${url}/v1/batches?metadata[run]=nobody`)],
    ["GET /v1/files?limit=100", () => ask(`${url}/v1/files?limit=100`)],
    ["GET /v1/files?after=(deep)", () => ask(`${url}/v1/files?limit=100&after=${deepFile}`)],
    ["GET /v1/files?purpose=user_data (none)", () => ask(`${url}/v1/files?limit=100&purpose=user_data`)],
    ["GET /v1/files?order=asc", () => ask(`${url}/v1/files?limit=100&order=asc`)],
    ["GET /readyz", () => fetch(`${url}/readyz`).then((answer) => answer.text())],
    ["GET /metrics", () => fetch(`${url}/metrics`).then((answer) => answer.text())],
  ];
  for (const [name, request] of kinds) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const begin = performance.now();
      await request(round);
      times.push(performance.now() - begin);
    }
    times.sort((a, b) => a - b);
    const at = (part: number) => (times[Math.floor(part * (times.length - 1))] ?? 0).toFixed(1);
    console.log(`  ${name.padEnd(42)} median ${at(0.5).padStart(6)} ms, p99 ${at(0.99).padStart(6)} ms`);
  }
}

async function idle(pid: number): Promise<void> {
  await sleep(5_000);
  const before = cpuSeconds(pid);
  await sleep(idleSeconds * 1_000);
  const used = ((cpuSeconds(pid) - before) / idleSeconds) * 1_000;
  console.log(`  CPU of the server while all wait: ${used.toFixed(0)} ms a second`);
}

/** User and system time so far, of which the kernel counts hundredths. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function untilWaiting(db: ReturnType<Place["connect"]>, count: number): Promise<void> {
  for (;;) {
    const { waiting } = await db
      .selectFrom("batches")
      .select(({ fn }) => fn.countAll().as("waiting"))
      .where("status", "=", "in_progress")
      .executeTakeFirstOrThrow();
    if (Number(waiting) >= count) return;
    await sleep(500);
  }
}

async function deepCursor(url: string, what: string): Promise<string> {
  let after = "";
  for (let page = 0; page < 50; page += 1) {
    const { last_id, has_more } = await ask(
      `${url}/v1/${what}?limit=100${after === "" ? "" : `&after=${after}`}`,
    );
    after = last_id;
    if (!has_more) break;
  }
  return after;
}

async function upload(url: string): Promise<string> {
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([requestLines(linesPerOpenBatch)]), "input.jsonl");
  return (await read(await fetch(`${url}/v1/files`, { method: "POST", body: form }))).id;
}

async function create(url: string, input_file_id: string): Promise<string> {
  const batch = {
    input_file_id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
    metadata: { team: "open" },
  };
  const headers = { "content-type": "application/json" };
  return (
    await read(await fetch(`${url}/v1/batches`, { method: "POST", headers, body: JSON.stringify(batch) }))
  ).id;
}

interface Page {
  id: string;
  data: { id: string; created_at: number }[];
  last_id: string;
  has_more: boolean;
}

async function ask(url: string): Promise<Page> {
  return read(await fetch(url));
}

async function read(response: Response): Promise<Page> {
  if (!response.ok) throw new Error(`The server answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as Page;
}
