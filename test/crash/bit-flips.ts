import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { BatchObject } from "../../src/batch/batch.ts";
import { isFinal } from "../../src/batch/lifecycle.ts";
import { type Opened, openNerif } from "../../src/compose.ts";
import { createRandom, seedOf } from "../../src/upstreams/simulator/random.ts";
import type { LoggedRequest } from "../../src/upstreams/simulator/request-log.ts";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { checkResults } from "./oracle/check-results.ts";
import { type KnownFile, type KnownRequest, knownFile } from "./oracle/requests.ts";
import type { Part, Round } from "./part.ts";

const lines = 60;
const project = "default";
/** A batch that is stuck for so long will not come to its end by itself. */
const patienceMs = 3_000;

/** A round: one bit of one file of a store that nobody has open; then the store is used. */
export const bitFlips: Part = {
  name: "flips",
  title:
    "one random bit of a random file of a closed data directory flipped, in the middle of a batch or after its end; then the batch is run to its end and everything is read",
  rounds: 5_000,
  unavailable: () => null,
  async open({ directory, seed }) {
    const simulator = createSimulator();
    const { url } = await simulator.listen();
    const input = knownFile("flip", lines);
    const running = join(directory, "running");
    const ended = join(directory, "ended");
    const slow = createSimulator({ latency: { kind: "fixed", ms: 20 } });
    const id = await makeStore(running, { input, url: (await slow.listen()).url, until: lines / 2 });
    await slow.close();
    cpSync(running, ended, { recursive: true });
    const sound = (await useStore(ended, url, id)).batch;
    const needed = simulator.served.requests;
    return {
      async round(index) {
        const random = createRandom(seedOf(seed, String(index)));
        const kind = random() < 0.5 ? "running" : "ended";
        const copy = join(directory, "copy");
        rmSync(copy, { recursive: true, force: true });
        cpSync(kind === "running" ? running : ended, copy, { recursive: true });
        const file = flipBit(copy, random);
        const before = simulator.served.requests;
        const judged = await judge(copy, { kind, file, url, input, sound });
        const again = simulator.served.requests - before - (kind === "running" ? needed : 0);
        if (judged.counts[`${kind}, ${kindOf(file)}: sound`] === 1) judged.counts["lines run again"] = again;
        return judged;
      },
      [Symbol.asyncDispose]: () => simulator.close(),
    };
  },
};

/** A store with a batch that was stopped when so many lines had their answers. @returns the batch's id */
async function makeStore(
  dataDir: string,
  { input, url, until }: { input: KnownFile; url: string; until: number },
): Promise<string> {
  const opened = await openNerif({ dataDir, upstream: url, concurrency: 4 });
  const staged = await opened.service.files.begin();
  await staged.write([Buffer.from(input.text)]);
  const file = await staged.finish(project, { filename: "in.jsonl", purpose: "batch" });
  const params = { input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const { id } = await opened.service.batches.create(project, params);
  while ((opened.engine.progress(id)?.counts.completed ?? 0) < until) await sleep(2);
  await opened.close();
  return id;
}

interface Used {
  batch: BatchObject;
  texts: { input: string | null; output: string | null; errors: string | null };
}

/** Runs the batch to its end and reads its files. */
async function useStore(dataDir: string, url: string, id: string): Promise<Used> {
  const opened = await openNerif({ dataDir, upstream: url, concurrency: 4, onFatal() {}, log: failing() });
  try {
    await opened.engine.start();
    const batch = await ended(opened, id);
    const read = (file: string | null) => (file === null ? null : contentOf(opened, file));
    const [output, errors] = [await read(batch.output_file_id), await read(batch.error_file_id)];
    // The batch does not end with its input: what could be read of it before is judged all the same.
    const text = await read(batch.input_file_id)?.catch(() => null);
    return { batch, texts: { input: text ?? null, output, errors } };
  } finally {
    await opened.close();
  }
}

/** A batch that cannot end says why in the log, again and again. */
async function ended({ service }: Opened, id: string): Promise<BatchObject> {
  const before = problems.length;
  for (const from = performance.now(); ; ) {
    const batch = await service.batches.retrieve(project, id);
    if (isFinal(batch.status)) return batch;
    if (performance.now() - from > patienceMs) {
      if (problems.length > before) throw new Error(`It waits, and says why: ${problems.at(-1)}`);
      throw new Silence();
    }
    await sleep(5);
  }
}

/** Neither an end nor a word. */
class Silence extends Error {}

async function contentOf({ service }: Opened, id: string): Promise<string> {
  const content = await service.files.content(project, id);
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of content.stream()) chunks.push(chunk);
  } finally {
    await content.close();
  }
  return Buffer.concat(chunks).toString();
}

/** What the log was told; an operator reads it. */
const problems: string[] = [];

function failing() {
  return { info() {}, warn() {}, error: (_fields: object, message: string) => void problems.push(message) };
}

function flipBit(directory: string, random: () => number): string {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => {
    const found = statSync(join(directory, name));
    return found.isFile() && found.size > 0;
  });
  const file = files[Math.floor(random() * files.length)] as string;
  const path = join(directory, file);
  const bytes = readFileSync(path);
  const at = Math.floor(random() * bytes.length);
  bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
  writeFileSync(path, bytes);
  return file;
}

interface JudgeOptions {
  kind: "running" | "ended";
  file: string;
  url: string;
  input: KnownFile;
  /** As it is at its end when nothing was damaged. */
  sound: BatchObject;
}

async function judge(dataDir: string, { kind, file, url, input, sound }: JudgeOptions): Promise<Round> {
  const what = `${kind}, ${kindOf(file)}`;
  const count = (verdict: string, violations: string[] = []): Round => ({
    counts: { [`${what}: ${verdict}`]: 1 },
    violations: violations.slice(0, 3).map((violation) => `${what} (${file}): ${violation}`),
  });
  try {
    const { batch, texts } = await useStore(dataDir, url, sound.id);
    if (batch.status === "failed") return count("refused");
    const { requests, errors } = withoutDamaged(input, texts.errors);
    const results = { output: texts.output, errors };
    const { violations } = checkResults(requests, results, { byDigest: answeredAll(input), seed: 0 });
    if (texts.input !== null && texts.input !== input.text) violations.push("I1 the input has other bytes");
    if (violations.length > 0) return count("WRONG", violations);
    // SQLite has no sums over its pages: what changes there without breaking anything is not noticed.
    if (kind === "ended" && JSON.stringify(batch) !== JSON.stringify(sound))
      return count("changed unnoticed");
    if (requests.length < lines) return count("its line failed");
    return count(texts.input === null ? "input refused" : "sound");
  } catch (reason) {
    if (reason instanceof Silence) return count("SILENT", ["I9 it neither ends nor complains"]);
    return count("refused");
  }
}

/** Leaves out the lines that say of themselves that their request was damaged. */
function withoutDamaged(
  { requests }: KnownFile,
  errors: string | null,
): { requests: KnownRequest[]; errors: string | null } {
  const damaged = new Set<number>();
  const rest = (errors ?? "").split("\n").filter((line) => {
    if (!line.includes('"code":"input_damaged"')) return line !== "";
    damaged.add(Number.parseInt(/^\{"id":"batch_req_[0-9a-f]{24}([0-9a-f]{8})"/.exec(line)?.[1] ?? "", 16));
    return false;
  });
  return {
    requests: requests.filter((_request, index) => !damaged.has(index)),
    errors: rest.length === 0 ? null : rest.map((line) => `${line}\n`).join(""),
  };
}

/** The simulator answers by what it is sent, so the answers themselves tell which body it got. */
function answeredAll({ requests }: KnownFile): Map<string, LoggedRequest[]> {
  const call = { time: 0, path: "", idempotency_key: null, status: 200 };
  return new Map(requests.map(({ digest }) => [digest, [{ ...call, body_sha256: digest }]]));
}

function kindOf(file: string): string {
  if (file.endsWith(".plan")) return "plan";
  if (file.endsWith(".seg")) return "journal";
  return file.startsWith("files/") ? "file" : file;
}
