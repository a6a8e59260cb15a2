import { drawInput } from "../program/input.ts";
import { theWorld } from "../world/world.ts";
import { type ClientOptions, persist, projects } from "./client-options.ts";
import { newKnownBatch } from "./ledger.ts";
import { see } from "./see.ts";

/** Uploads an input and makes a batch of it, again and again while it is unknown whether it was done. */
export async function uploadAndCreate(nr: number, { ledger, connection }: ClientOptions): Promise<void> {
  const { random, weather } = theWorld();

  const project = random.pick(projects);
  const input = drawInput(random, { nr, lines: weather.clients.lines });
  const window = drawWindow();
  const isKeyed = random.chance(0.5);
  const key = (what: string) => (isKeyed ? { idempotencyKey: `${what}-${nr}` } : {});
  if (isKeyed) ledger.keyed.add(String(nr));
  const file = await persist(async () => {
    const uploaded = await connection.request(async ({ files }) => {
      const staged = await files.begin();
      await staged.write([input.bytes]);
      return staged.finish(project, { filename: "in.jsonl", purpose: "batch" }, key("upload"));
    });
    const known = { project, bytes: input.bytes, input, deletedAt: null, maybeDeleted: false };
    ledger.files.set(uploaded.id, { id: uploaded.id, ...known });
    return uploaded;
  });
  if (file === null) return;
  const endpoint = "/v1/chat/completions";
  const about = { completion_window: window, metadata: { nr: String(nr) } };
  const params = { input_file_id: file.id, endpoint, ...about };
  await persist(async () => {
    const askedAt = theWorld().now;
    const batch = await connection.request(({ batches: service }) =>
      service.create(project, params, key("create")),
    );
    ledger.batches.set(batch.id, newKnownBatch({ id: batch.id, project, inputId: file.id, retryOf: null }));
    see(ledger, batch, askedAt);
    return batch;
  });
}

function drawWindow(): string {
  const { random, weather } = theWorld();
  if (!random.chance(weather.clients.shortWindows)) return "24h";
  return `${random.pick([1, 5, 20, 60, 90])}s`;
}
