import { appOf } from "../../src/http/serve.ts";
import { createModelService } from "../../src/service/models.ts";
import { aFile } from "./control-rows.ts";
import { finishBatch, openTestInstance, requestLine } from "./http-instance.ts";

/** Ids of things that a project has, by what they are. */
export type Ids = Record<"file" | "batch" | "failedBatch" | "input", string>;

export interface Tenants {
  app: ReturnType<typeof appOf>;
  /** Keys: of the project that has the things, of another one, and of the first one but revoked. */
  keys: { own: string; other: string; revoked: string };
  ids: Ids;
  /** Texts that only the project that has the things may see. */
  secrets: string[];
}

/** Two projects at one server, the first of which has something of everything. */
export async function createTenants(): Promise<Tenants> {
  const instance = await openTestInstance();
  instance.engine.canStart = false;
  const { keys, files, batches } = instance.service;
  const own = await keys.create({ project: "own" });
  const other = await keys.create({ project: "other" });
  const revoked = await keys.create({ project: "own" });
  await keys.revoke(revoked.object.id);

  async function upload(filename: string): Promise<string> {
    const staged = await files.begin();
    await staged.write([Buffer.from(`${requestLine("secret-line")}\n`)]);
    return (await staged.finish("own", { filename, purpose: "batch" })).id;
  }

  async function createBatch(input: string): Promise<string> {
    const params = { endpoint: "/v1/embeddings", completion_window: "24h" };
    const metadata = { note: "secret-note" };
    return (await batches.create("own", { ...params, input_file_id: input, metadata })).id;
  }

  const ids = {
    file: await upload("secret-name.jsonl"),
    input: await upload("secret-name-2.jsonl"),
    batch: await createBatch(await upload("secret-input.jsonl")),
    failedBatch: await createBatch(await upload("secret-input-2.jsonl")),
  };
  await finishBatch(instance, ids.failedBatch, { error: [0] });
  const models = createModelService(instance);
  return {
    app: appOf(instance, { models }),
    keys: { own: own.key, other: other.key, revoked: revoked.key },
    ids,
    secrets: [...Object.values(ids), "secret-"],
  };
}

/** Ids of the same shapes that nothing has. */
export function unknownIds(): Ids {
  const batch = (digit: string) => `batch_${digit.repeat(32)}`;
  return { file: aFile().id, input: aFile().id, batch: batch("0"), failedBatch: batch("1") };
}
