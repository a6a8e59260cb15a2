import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { openNerif } from "../../src/compose.ts";
import { createNerif } from "../../src/index.ts";
import { startNode } from "../support/library-process.ts";
import { chats } from "../support/library-requests.ts";
import { startGatedUpstream } from "../support/library-upstream.ts";
import { startPostgres, withoutPostgres } from "../support/postgres.ts";

describe.skipIf(withoutPostgres !== null)(`a library process on a database ${withoutPostgres ?? ""}`, () => {
  test("takes no lines of others when it cancels a batch and has no upstream for them", async () => {
    for (const name of ["NERIF_UPSTREAM", "OPENAI_BASE_URL", "OPENAI_API_KEY"]) vi.stubEnv(name, undefined);
    onTestFinished(() => void vi.unstubAllEnvs());
    const sharedDir = mkdtempSync(join(tmpdir(), "nerif-library-"));
    onTestFinished(() => rmSync(sharedDir, { recursive: true, force: true }));
    const postgres = await startPostgres();
    onTestFinished(postgres.remove);
    const client = await openNerif({ databaseUrl: await postgres.createDatabase(), sharedDir });
    try {
      const { files, batches } = client.service;
      const body = { model: "m", messages: [{ role: "user", content: "hi" }] };
      const staged = await files.begin();
      const line = { custom_id: "a", method: "POST", url: "/v1/chat/completions", body };
      await staged.write([Buffer.from(JSON.stringify(line))]);
      const input = await staged.finish("default", { filename: "in.jsonl", purpose: "batch" });
      const create = { input_file_id: input.id, endpoint: "/v1/chat/completions", completion_window: "24h" };
      const { id } = await batches.create("default", create);
      expect(await batches.cancel("default", id)).toMatchObject({ status: "cancelling" });
      expect(client.engine.running).toBe(false);
    } finally {
      await client.close();
    }
  });

  test("ends when its own batch is final, though others have batches that are not", async () => {
    const sharedDir = mkdtempSync(join(tmpdir(), "nerif-library-"));
    onTestFinished(() => rmSync(sharedDir, { recursive: true, force: true }));
    const postgres = await startPostgres();
    onTestFinished(postgres.remove);
    await using model = await startGatedUpstream();
    const options = { databaseUrl: await postgres.createDatabase(), sharedDir, upstream: model.url };
    await using other = createNerif(options);
    const input = await other.files.createBatchFile(chats(["hold theirs"]));
    const theirs = await other.batches.create({ input_file_id: input.id, endpoint: "/v1/chat/completions" });
    await model.held(1);
    const script = `import { createNerif } from "nerif";
      const nerif = createNerif(${JSON.stringify(options)});
      const { chats } = await import("./test/support/library-requests.ts");
      const input = await nerif.files.createBatchFile(chats(["ours"]));
      const { id } = await nerif.batches.create({ input_file_id: input.id, endpoint: "/v1/chat/completions" });
      console.log("created", id);`;
    await using child = startNode(script, { HOME: sharedDir });
    const ours = await child.said("created");
    expect(await child.ended).toBe(0);
    expect((await other.batches.retrieve(ours)).status).toBe("completed");
    expect((await other.batches.retrieve(theirs.id)).status).toBe("in_progress");
    model.release();
    expect((await other.batches.wait(theirs.id)).status).toBe("completed");
    expect(model.prompts.toSorted()).toEqual(["hold theirs", "ours"]);
  });
});
