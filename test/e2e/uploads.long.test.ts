import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSimulator } from "../../src/upstreams/simulator/simulator.ts";
import { type ServeProcess, startServeProcess } from "../support/http-process.ts";
import { blocks, downloadSha256, MiB, sendLargeForm, sha256Of } from "../support/large-form.ts";
import { storedKeys } from "../support/stored.ts";

const size = 1024;
const partSize = 64;
const parallel = 4;
const mostMemory = 200 * MiB;

describe.skipIf(process.platform !== "linux")("a file of 1 GiB", () => {
  it("goes through POST /v1/files as it is, in less than 200 MiB of memory", async () => {
    const server = await start();
    const idle = peakMemory(server);
    const sent = await sendLargeForm(`${server.url}/v1/files`, {
      file: "file",
      fields: { purpose: "batch" },
      some: blocks(0, size),
    });
    expect(sent).toMatchObject({ status: 200, body: { bytes: size * MiB, status: "processed" } });
    const afterUpload = peakMemory(server);
    const sha256 = sha256Of(blocks(0, size));
    expect(await download(server, sent.body.id)).toEqual({ sha256, bytes: size * MiB });
    report("POST /v1/files", [idle, afterUpload, peakMemory(server)]);
  });

  it("goes through /v1/uploads in parts of 64 MiB, in less than 200 MiB of memory", async () => {
    const server = await start();
    const idle = peakMemory(server);
    const md5 = createHash("md5");
    for (const block of blocks(0, size)) md5.update(block);
    const upload = await post(`${server.url}/v1/uploads`, {
      filename: "large.jsonl",
      purpose: "batch",
      bytes: size * MiB,
      mime_type: "application/jsonl",
    });
    // From the last to the first, four at a time.
    const waiting = Array.from({ length: size / partSize }, (_, index) => index);
    const partIds: unknown[] = [];
    const sendSome = async () => {
      for (let part = waiting.pop(); part !== undefined; part = waiting.pop()) {
        const { status, body } = await sendLargeForm(`${server.url}/v1/uploads/${upload.id}/parts`, {
          file: "data",
          some: blocks(part * partSize, partSize),
        });
        expect(status).toBe(200);
        partIds[part] = body.id;
      }
    };
    await Promise.all(Array.from({ length: parallel }, sendSome));
    const afterParts = peakMemory(server);
    const completed = await post(`${server.url}/v1/uploads/${upload.id}/complete`, {
      part_ids: partIds,
      md5: md5.digest("hex"),
    });
    expect(completed).toMatchObject({ status: "completed", file: { bytes: size * MiB } });
    const { id } = completed.file as { id: string };
    expect(await storedKeys(server.dataDir)).toEqual([id]);
    const sha256 = sha256Of(blocks(0, size));
    expect(await download(server, id)).toEqual({ sha256, bytes: size * MiB });
    report("/v1/uploads", [idle, afterParts, peakMemory(server)]);
  });
});

async function start(): Promise<ServeProcess> {
  const upstream = createSimulator({});
  const { url } = await upstream.listen();
  onTestFinished(() => upstream.close());
  return startServeProcess({ upstream: url });
}

async function post(url: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

function download(server: ServeProcess, id: unknown): Promise<{ sha256: string; bytes: number }> {
  return downloadSha256(`${server.url}/v1/files/${id}/content`);
}

/** The most that was ever resident, in bytes. */
function peakMemory({ child }: ServeProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

function report(route: string, [idle, uploaded, last]: [number, number, number]): void {
  const shown = [idle, uploaded, last].map((bytes) => `${Math.round(bytes / MiB)} MiB`);
  console.log(
    `1 GiB through ${route}: peak memory ${shown[0]} before, ${shown[1]} with its bytes, ${shown[2]} at the end`,
  );
  expect(last).toBeLessThan(mostMemory);
}
