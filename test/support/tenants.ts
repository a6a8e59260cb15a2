import { newBatchId, newFileId, newId } from "../../src/batch/ids.ts";
import { appOf } from "../../src/http/serve.ts";
import { createModelService } from "../../src/service/models.ts";
import { finishBatch, openTestInstance, requestLine, type TestInstance } from "./http-instance.ts";
import { startWebhookReceiver } from "./webhook-receiver.ts";

/** Ids of things that a project has, by what they are. */
export interface Ids {
  file: string;
  /** Read by no batch yet. */
  input: string;
  batch: string;
  /** Final, with a line that failed. */
  failedBatch: string;
  /** Pending; `part` has all the bytes that it announced. */
  upload: string;
  part: string;
  webhook: string;
}

export interface Tenants {
  app: ReturnType<typeof appOf>;
  /** Keys: of the project that is looked at, of another one, and of the first one but revoked. */
  keys: { own: string; other: string; revoked: string };
  own: Ids;
  other: Ids;
  /** Texts that only the project that is looked at may see, beside its ids. */
  secret: string;
}

/** Two projects at one server, each of which has something of everything. */
export async function createTenants(): Promise<Tenants> {
  const instance = await openTestInstance({ webhookAllow: ["127.0.0.1"] });
  instance.engine.canStart = false;
  const { keys } = instance.service;
  const revoked = await keys.create({ project: "own" });
  await keys.revoke(revoked.object.id);
  const { url: receiver } = await startWebhookReceiver();
  return {
    app: appOf(instance, { models: createModelService(instance) }),
    keys: {
      own: (await keys.create({ project: "own" })).key,
      other: (await keys.create({ project: "other" })).key,
      revoked: revoked.key,
    },
    own: await fill(instance, { project: "own", mark: "confidential", receiver }),
    other: await fill(instance, { project: "other", mark: "harmless", receiver }),
    secret: "confidential",
  };
}

/** Ids of the same shapes that nothing has. */
export function unknownIds(): Ids {
  return {
    file: newFileId(),
    input: newFileId(),
    batch: newBatchId(1),
    failedBatch: newBatchId(2),
    upload: newId("upload"),
    part: newId("part"),
    webhook: newId("webhook_endpoint"),
  };
}

/** @param mark is found in every text of what the project has */
async function fill(
  instance: TestInstance,
  { project, mark, receiver }: { project: string; mark: string; receiver: string },
): Promise<Ids> {
  const { files, batches, uploads, webhooks } = instance.service;
  const line = Buffer.from(`${requestLine(mark, mark)}\n`);

  async function file(): Promise<string> {
    const staged = await files.begin();
    await staged.write([line]);
    return (await staged.finish(project, { filename: `${mark}.jsonl`, purpose: "batch" })).id;
  }

  async function batch(): Promise<string> {
    const params = { endpoint: "/v1/embeddings", completion_window: "24h", metadata: { note: mark } };
    return (await batches.create(project, { ...params, input_file_id: await file() })).id;
  }

  const announced = { filename: `${mark}.jsonl`, purpose: "batch", mime_type: "application/jsonl" };
  const upload = await uploads.create(project, { ...announced, bytes: line.length });
  const part = await uploads.beginPart(project, upload.id);
  await part.write([line]);
  const failedBatch = await batch();
  const ids = {
    file: await file(),
    input: await file(),
    batch: await batch(),
    failedBatch,
    upload: upload.id,
    part: (await part.finish()).id,
    webhook: (
      await webhooks.create(project, {
        ...{ name: mark, url: `${receiver}/${mark}`, event_types: ["batch.completed"] },
      })
    ).id,
  };
  await finishBatch(instance, failedBatch, { error: [0] });
  return ids;
}
