import { execFileSync } from "node:child_process";
import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { type FuzzCase, fileNameCases, idCases, jsonCases, multipartCases } from "../support/fuzz-cases.ts";
import { startServeProcess } from "../support/http-process.ts";
import { traceOpens } from "../support/open-trace.ts";
import { rawRequest } from "../support/raw-request.ts";
import { testCluster } from "../support/storage.ts";

const isLocal = testCluster() === null;
/** What PostgreSQL and S3 take differently from a data directory shows soon, and they take longer. */
const rounds = Number(process.env.NERIF_TEST_FUZZ_ROUNDS ?? (isLocal ? 10_000 : 2_000));
const seed = Number(process.env.NERIF_TEST_FUZZ_SEED ?? Date.now() % 2 ** 31);
const atOnce = 16;

/** What the allocator may keep of a load that is over. */
const keptBytes = 64 * 1024 * 1024;

const kinds = {
  ids: idCases,
  "file names": fileNameCases,
  "multipart bodies": multipartCases,
  "JSON bodies": jsonCases,
};

const hasStrace = works("strace", ["-V"]);

test.skipIf(!hasStrace && process.env.CI === undefined)(
  `a server answers ${rounds} of each kind of bad request without a fault of its own (seed ${seed}; needs strace: apt-get install strace)`,
  async () => {
    const upstream = await startSimulator();
    const server = await startServeProcess({
      upstream: upstream.url,
      env: { NODE_OPTIONS: "--inspect=127.0.0.1:0" },
    });
    const port = Number(new URL(server.url).port);
    const { pid } = server.child;
    if (pid === undefined) throw new Error("The server has no pid");
    // A first load brings in modules and grows the heap to what such a load needs.
    for (const cases of Object.values(kinds))
      await sendAll(port, sample(cases, Math.min(rounds, 1_000), seed - 1));
    await collectGarbage(server.stderr());
    const base = await residentBytes(pid);
    const baseDescriptors = await descriptors(pid);

    const traceFile = join(tmpdir(), `nerif-fuzz-${process.pid}.trace`);
    const trace = await traceOpens(pid, traceFile);
    const faults: string[] = [];
    for (const [kind, cases] of Object.entries(kinds)) {
      const statuses = await sendAll(port, sample(cases, rounds, seed), (found, status) => {
        if (status !== null && status < 500) return;
        faults.push(
          `${kind}: ${status} for ${found.method} ${found.path} ${found.body?.toString("latin1") ?? ""}`,
        );
      });
      console.log(`${kind}: ${[...statuses].map(([status, count]) => `${count} x ${status}`).join(", ")}`);
    }
    const opened = await trace.stop();
    await rm(traceFile);

    expect(faults.slice(0, 10)).toEqual([]);
    // Modules that load late are not the requests' doing; anything else would be.
    const own = join(import.meta.dirname, "../..");
    const foreign = opened.filter((path) => !path.startsWith(server.dataDir) && !path.startsWith(own));
    expect([...new Set(foreign)]).toEqual([]);
    expect(opened.some((path) => path.startsWith(server.dataDir))).toBe(isLocal);

    await expect.poll(() => descriptors(pid), { timeout: 30_000 }).toBeLessThanOrEqual(baseDescriptors);
    // In S3 nothing has a name before it is whole.
    const names = isLocal ? await readdir(join(server.dataDir, "files")) : [];
    expect(names.filter((name) => name.includes(".tmp-"))).toEqual([]);
    await collectGarbage(server.stderr());
    const after = await residentBytes(pid);
    console.log(`memory: ${mib(base)} MiB before, ${mib(after)} MiB after; ${opened.length} paths opened`);
    expect(after).toBeLessThan(base + keptBytes);
  },
);

async function startSimulator(): Promise<{ url: string }> {
  const simulator = createSimulator();
  onTestFinished(() => simulator.close());
  return simulator.listen();
}

function sample(cases: fc.Arbitrary<FuzzCase>, count: number, withSeed = seed): FuzzCase[] {
  return fc.sample(cases, { numRuns: count, seed: withSeed });
}

async function sendAll(
  port: number,
  cases: FuzzCase[],
  look: (found: FuzzCase, status: number | null) => void = () => {},
): Promise<Map<number | null, number>> {
  const statuses = new Map<number | null, number>();
  const queue = cases.values();
  const senders = Array.from({ length: atOnce }, async () => {
    for (const found of queue) {
      const status = await rawRequest(port, found);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      look(found, status);
    }
  });
  await Promise.all(senders);
  return statuses;
}

async function residentBytes(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

function mib(bytes: number): number {
  return Math.round(bytes / 1024 / 1024);
}

function works(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
