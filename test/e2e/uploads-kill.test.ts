import { createHash } from "node:crypto";
import { watch } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { type ServeProcess, startServeProcess } from "../support/http-process.ts";
import { blocks, MiB } from "../support/large-form.ts";

const file = Buffer.concat(Array.from(blocks(0, 8), (block) => Buffer.from(block)));

interface Server {
  /** Sends a POST; null when the server died before it answered. */
  post(path: string, body: object | FormData): Promise<{ status: number; body: Answer } | null>;
  get(path: string): Promise<Response>;
  /** Kills the process with SIGKILL and starts another on the same data. */
  restart(): Promise<void>;
  kill(): void;
  files: string;
}

interface Answer {
  id: string;
  status?: string;
  file?: { id: string } | null;
  data?: { id: string }[];
}

async function start(): Promise<Server> {
  const upstream = createSimulator({});
  const { url } = await upstream.listen();
  const dataDir = await mkdtemp(join(tmpdir(), "nerif-kill-"));
  await mkdir(join(dataDir, "files"));
  onTestFinished(async () => {
    await upstream.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  let server: ServeProcess = await startServeProcess({ upstream: url, dataDir });
  return {
    files: join(dataDir, "files"),
    async post(path, body) {
      const sent = body instanceof FormData ? body : JSON.stringify(body);
      try {
        const response = await fetch(`${server.url}/v1${path}`, { method: "POST", body: sent });
        return { status: response.status, body: (await response.json()) as Answer };
      } catch {
        return null;
      }
    },
    get: (path) => fetch(`${server.url}/v1${path}`),
    kill: () => void server.child.kill("SIGKILL"),
    async restart() {
      await server.stop("SIGKILL");
      server = await startServeProcess({ upstream: url, dataDir });
    },
  };
}

async function begin(server: Server): Promise<string> {
  const params = {
    filename: "a.jsonl",
    purpose: "batch",
    bytes: file.length,
    mime_type: "application/jsonl",
  };
  return (await server.post("/uploads", params))?.body.id ?? "";
}

async function addPart(server: Server, upload: string, from: number, to: number): Promise<string | null> {
  const form = new FormData();
  form.set("data", new Blob([new Uint8Array(file.subarray(from, to))]), "upload");
  const answer = await server.post(`/uploads/${upload}/parts`, form);
  if (answer === null) return null;
  expect(answer.status).toBe(200);
  return answer.body.id;
}

async function fileIds(server: Server): Promise<string[]> {
  const list = (await (await server.get("/files")).json()) as Answer;
  return (list.data ?? []).map(({ id }) => id);
}

async function expectWhole(server: Server, id: string): Promise<void> {
  const content = Buffer.from(await (await server.get(`/files/${id}/content`)).arrayBuffer());
  expect(sha256(content)).toBe(sha256(file));
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Kills the server at the first change of its files that `isMoment` waits for. */
function killAt(server: Server, isMoment: (name: string) => boolean): () => boolean {
  let killed = false;
  const watcher = watch(server.files, (_, name) => {
    if (killed || name === null || !isMoment(name)) return;
    killed = true;
    server.kill();
  });
  onTestFinished(() => watcher.close());
  return () => {
    watcher.close();
    return killed;
  };
}

describe("kill -9", () => {
  it("costs an upload no part that was acknowledged", async () => {
    const server = await start();
    const upload = await begin(server);
    const partIds: string[] = [];
    for (let at = 0; at < 8; at += 1) {
      // The third part is killed while its bytes come, and the sixth after it was acknowledged.
      const wasKilled = at === 2 ? killAt(server, (name) => name.includes(".tmp-")) : null;
      let id = await addPart(server, upload, at * MiB, (at + 1) * MiB);
      if (wasKilled !== null) {
        expect(wasKilled()).toBe(true);
        await server.restart();
        id ??= await addPart(server, upload, at * MiB, (at + 1) * MiB);
      }
      if (at === 5) await server.restart();
      partIds.push(id ?? "");
    }
    const completed = await server.post(`/uploads/${upload}/complete`, { part_ids: partIds });
    expect(completed?.status).toBe(200);
    await expectWhole(server, completed?.body.file?.id ?? "");
  });

  it.each([
    ["begins", (name: string) => /^file-\w+\.tmp-/.test(name)],
    ["has its name", (name: string) => /^file-\w+$/.test(name)],
    ["is done and its parts go", (name: string) => name.startsWith("part_")],
  ])("leaves a pending upload or a whole file when the copy %s", async (_, isMoment) => {
    const server = await start();
    const upload = await begin(server);
    const half = file.length / 2;
    const last = await addPart(server, upload, half, file.length);
    const first = await addPart(server, upload, 0, half);
    const wasKilled = killAt(server, isMoment);
    const body = { part_ids: [first, last] };
    await server.post(`/uploads/${upload}/complete`, body);
    expect(wasKilled()).toBe(true);
    await server.restart();

    const found = await fileIds(server);
    expect(found.length).toBeLessThanOrEqual(1);
    for (const id of found) await expectWhole(server, id);
    const again = await server.post(`/uploads/${upload}/complete`, body);
    expect(again?.status).toBe(found.length === 1 ? 409 : 200);
    const [id, ...others] = await fileIds(server);
    expect(others).toEqual([]);
    await expectWhole(server, id ?? "");
  });
});
