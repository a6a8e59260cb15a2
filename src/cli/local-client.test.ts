import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { withClient } from "./client.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "nerif-local-"));
  for (const name of ["NERIF_UPSTREAM", "OPENAI_BASE_URL", "OPENAI_API_KEY"]) vi.stubEnv(name, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(dataDir, { recursive: true });
});

const local = { server: undefined, execute: true } as const;

async function createBatch(): Promise<string> {
  const input = join(dataDir, "in.jsonl");
  const body = { model: "m", input: "hello" };
  writeFileSync(input, JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/embeddings", body }));
  return withClient({ ...local, dataDir, execute: false }, async ({ files, batches }) => {
    const { id: input_file_id } = await files.upload(input);
    const created = await batches.create({
      input_file_id,
      endpoint: "/v1/embeddings",
      completion_window: "24h",
    });
    return created.id;
  });
}

it("cancels a batch to its end where no process executes and no upstream is configured", async () => {
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const id = await createBatch();
  const cancelled = await withClient({ ...local, dataDir }, ({ batches }) => batches.cancel(id));
  expect(cancelled.status).toBe("cancelled");
  expect(said).not.toHaveBeenCalled();
});

it("says that it waits for another process where no upstream is configured", async () => {
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const id = await createBatch();
  const stop = new AbortController();
  const waited = withClient({ ...local, dataDir }, ({ batches }) =>
    batches.wait(id, { signal: stop.signal, onProgress: () => stop.abort() }),
  );
  await expect(waited).rejects.toMatchObject({ code: "aborted" });
  expect(said.mock.calls).toEqual([
    ["No upstream is configured here, so another process has to execute the batch\n"],
  ]);
});
