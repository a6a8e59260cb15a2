import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Batch } from "../../src/batch/batch.ts";
import { newBatchId, newFileId } from "../../src/batch/ids.ts";
import { isFinal } from "../../src/batch/lifecycle.ts";
import type { ControlStore, ExecutorLock } from "../../src/control/control-store.ts";
import { openSqliteControlStore } from "../../src/control/sqlite.ts";
import { createSystemClock } from "../../src/engine/clock.ts";
import { type EngineDeps, silentLogger } from "../../src/engine/deps.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { createEngine } from "../../src/engine/executor.ts";
import { defaultSettings } from "../../src/engine/settings.ts";
import type { FileStore } from "../../src/files/file-store.ts";
import { createMemoryFileStore } from "../../src/files/memory.ts";
import { createMemoryJournal } from "../../src/journal/memory.ts";
import type { Upstream } from "../../src/upstreams/upstream.ts";
import { aBatch } from "./batch.ts";

export interface EngineFixture {
  deps: EngineDeps;
  engine: Engine;
  control: ControlStore;
  files: FileStore;
  /** Adds an input file and a batch that waits for validation. */
  addBatch(input: string, fields?: Partial<Batch>): Promise<Batch>;
  get(id: string): Promise<Batch>;
  /** Waits until the batch fulfils `condition`, by default until it is final. */
  until(id: string, condition?: (batch: Batch) => boolean): Promise<Batch>;
  /** The parsed lines of a result file, or none. */
  lines(fileId: string | null): Promise<ResultLine[]>;
  /** Lets every lease that is not renewed run out. */
  letLeasesRunOut(): void;
  /** Another engine on the same stores, as a process that starts after the first one ended. */
  restart(overrides?: Partial<EngineDeps>): Promise<Engine>;
}

export interface ResultLine {
  id: string;
  custom_id: string;
  response: { status_code: number; request_id: string; body: Record<string, unknown> | null } | null;
  error: { code: string; message: string; type: string } | null;
}

/** An engine on a real control store, with files and journal in memory. */
export async function createEngineFixture(
  upstreams: Upstream | Upstream[],
  overrides: Partial<EngineDeps> = {},
): Promise<EngineFixture> {
  const directory = mkdtempSync(join(tmpdir(), "nerif-engine-"));
  let leaseTime = 0;
  const control =
    overrides.control ??
    (await openSqliteControlStore({
      path: join(directory, "nerif.db"),
      leaseClock: () => leaseTime + performance.now(),
    }));
  const files = overrides.files ?? createMemoryFileStore();
  const all = [upstreams].flat();
  const deps: EngineDeps = {
    control,
    files,
    journal: createMemoryJournal(),
    lock: freeLock(),
    clock: createSystemClock(),
    settings: defaultSettings,
    pickUpstreams: (model) => all.filter((upstream) => upstream.serves(model)),
    knowsModel: (model) => all.some((upstream) => upstream.serves(model)),
    log: silentLogger,
    // Waits for a further try are cut to nothing; the rules for them have tests of their own.
    random: () => 0,
    ...overrides,
  };
  let engine = createEngine(deps);
  onTestFinished(async () => {
    await engine.stop(0);
    await control.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function get(id: string): Promise<Batch> {
    const batch = await control.getBatch(null, id);
    if (batch === null) throw new Error(`There is no batch ${id}`);
    return batch;
  }

  return {
    deps,
    engine,
    control,
    files,
    get,
    async addBatch(input, fields = {}) {
      const id = newFileId();
      const now = Math.floor(deps.clock.now() / 1000);
      const writer = await files.create(id);
      await writer.write([Buffer.from(input)]);
      const { bytes, sha256 } = await writer.commit();
      const file = {
        id,
        project: "default",
        created_at: now,
        expires_at: null,
        filename: "in.jsonl",
        purpose: "batch",
      };
      await control.insertFile({ ...file, bytes, sha256, key: id, api_key: null, lines: null });
      const times = { created_at: now, expires_at: now + 86_400 };
      const batch = aBatch({ id: newBatchId(now), input_file_id: id, ...times, ...fields });
      await control.insertBatch(batch);
      engine.wake();
      return batch;
    },
    async until(id, condition = (batch) => isFinal(batch.status)) {
      for (;;) {
        const batch = await get(id);
        if (condition(batch)) return batch;
        await engine.changed(1_000);
      }
    },
    async lines(fileId) {
      if (fileId === null) return [];
      const file = await control.getFile(null, fileId);
      const reader = await files.open(file?.key ?? fileId);
      const text = (await reader.read(0, reader.bytes)).toString();
      await reader.close();
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as ResultLine);
    },
    letLeasesRunOut() {
      leaseTime += 3_600_000;
    },
    async restart(changes = {}) {
      await engine.stop(0);
      engine = createEngine({ ...deps, ...changes });
      await engine.start();
      return engine;
    },
  };
}

/** `count` request lines with ids `r0`, `r1`, ...; `fields` may change each. */
export function requestLines(
  count: number,
  fields: (i: number) => Record<string, unknown> = () => ({}),
): string {
  const lines = Array.from({ length: count }, (_, i) => {
    const body = { model: "m", messages: [{ role: "user", content: `Say ${i}` }] };
    return JSON.stringify({
      custom_id: `r${i}`,
      method: "POST",
      url: "/v1/chat/completions",
      body,
      ...fields(i),
    });
  });
  return `${lines.join("\n")}\n`;
}

function freeLock(): ExecutorLock {
  return {
    acquire: () => Promise.resolve(true),
    holder: () => Promise.resolve(null),
    release: () => Promise.resolve(),
  };
}
