import { readInput } from "../program/input.ts";
import { theWorld } from "../world/world.ts";
import { type ClientOptions, persist, projects } from "./client-options.ts";
import { refusalOf } from "./connection.ts";
import { type KnownBatch, type KnownFile, newKnownBatch } from "./ledger.ts";
import { see } from "./see.ts";

/** What users do to batches and files, one at a time, by chance. */
export function createActions({ ledger, connection }: ClientOptions): (() => Promise<void>)[] {
  const { random } = theWorld();
  // Without cancels most batches would come to their end.
  return [cancel, cancel, retrieve, list, deleteFile, retry, results, probeForeign];

  async function cancel(): Promise<void> {
    const known = anyBatch();
    if (known === null) return;
    const askedAt = theWorld().now;
    try {
      known.maybeCancelled = true;
      const batch = await connection.request(({ batches: service }) =>
        service.cancel(known.project, known.id),
      );
      known.cancelledAt ??= theWorld().now;
      if (!["cancelling", "cancelled"].includes(batch.status)) {
        theWorld().violation(`cancel of ${known.id} answered with status ${batch.status}`);
      }
      see(ledger, batch, askedAt);
    } catch (reason) {
      const code = refusalOf(reason);
      if (code !== null && code !== "batch_not_cancellable") {
        theWorld().violation(`cancel of ${known.id} was refused with ${code}`);
      }
    }
  }

  async function retrieve(): Promise<void> {
    const known = anyBatch();
    if (known === null) return;
    await asking(`retrieve ${known.id}`, async () => {
      const askedAt = theWorld().now;
      const { project, id } = known;
      see(ledger, await connection.request(({ batches: service }) => service.retrieve(project, id)), askedAt);
    });
  }

  async function list(): Promise<void> {
    const project = random.pick(projects);
    const wanted = [...ledger.batches.values()].filter((known) => known.project === project);
    await asking("list", async () => {
      const askedAt = theWorld().now;
      const page = await connection.request(({ batches: service }) => service.list(project, { limit: 100 }));
      for (const batch of page.data) see(ledger, batch, askedAt);
      const ids = new Set(page.data.map(({ id }) => id));
      for (const { id } of wanted) if (!ids.has(id)) theWorld().violation(`${id} is not in the list`);
    });
  }

  async function deleteFile(): Promise<void> {
    const file = anyFile();
    if (file === null) return;
    file.maybeDeleted = true;
    try {
      await connection.request(({ files }) => files.delete(file.project, file.id));
      file.deletedAt = theWorld().now;
    } catch (reason) {
      const code = refusalOf(reason);
      if (code === null) return;
      if (code === "file_in_use" && file.deletedAt === null) return;
      if (code !== "file_not_found") theWorld().violation(`delete of ${file.id} was refused with ${code}`);
    }
  }

  async function retry(): Promise<void> {
    const known = anyBatch();
    if (known === null) return;
    const askedAt = theWorld().now;
    try {
      const batch = await connection.request(({ batches: service }) =>
        service.retry(known.project, known.id),
      );
      const { id, input_file_id: inputId } = batch;
      ledger.batches.set(id, newKnownBatch({ id, project: known.project, inputId, retryOf: known.id }));
      see(ledger, batch, askedAt);
      await learnFile(known.project, inputId);
    } catch (reason) {
      const code = refusalOf(reason);
      if (code === null || ["batch_not_final", "invalid_request", "input_file_gone"].includes(code)) return;
      theWorld().violation(`retry of ${known.id} was refused with ${code}`);
    }
  }

  /** The input that a retry has made; what it must say follows from the batch that is tried again. */
  async function learnFile(project: string, id: string): Promise<void> {
    const bytes = await persist(() => download(project, id));
    if (bytes === null || ledger.files.has(id)) return;
    const input = { bytes, lines: readInput(bytes), isBad: false };
    ledger.files.set(id, { id, project, bytes, input, deletedAt: null, maybeDeleted: false });
  }

  function download(project: string, id: string): Promise<Buffer> {
    return connection.request(async ({ files }) => {
      const content = await files.content(project, id);
      const chunks: Buffer[] = [];
      for await (const chunk of content.stream()) chunks.push(chunk);
      await content.close();
      return Buffer.concat(chunks);
    });
  }

  /** What is in the journal of a running batch: each line once, and nothing that changes later. */
  async function results(): Promise<void> {
    const known = anyBatch();
    if (known === null) return;
    await asking(`results of ${known.id}`, async () => {
      const bytes = await connection.request(async ({ batches: service }) => {
        const chunks: Buffer[] = [];
        for await (const chunk of service.results(known.project, known.id)) chunks.push(chunk);
        return Buffer.concat(chunks);
      });
      const given = new Set<string>();
      for (const line of bytes.toString().split("\n")) {
        if (line === "") continue;
        const { id } = JSON.parse(line);
        if (given.has(id)) theWorld().violation(`results of ${known.id} name ${id} twice`);
        given.add(id);
        known.results.set(id, known.results.get(id) ?? line);
      }
    });
  }

  async function probeForeign(): Promise<void> {
    const known = anyBatch();
    if (known === null) return;
    const foreign = projects.find((project) => project !== known.project) ?? "none";
    try {
      await connection.request(({ batches: service }) => service.retrieve(foreign, known.id));
      theWorld().violation(`${known.id} was shown to a foreign project`);
    } catch (reason) {
      const code = refusalOf(reason);
      if (code !== null && code !== "batch_not_found") theWorld().violation(`a foreign batch is ${code}`);
    }
  }

  async function asking(what: string, ask: () => Promise<void>): Promise<void> {
    try {
      await ask();
    } catch (reason) {
      const code = refusalOf(reason);
      if (code !== null && code !== "file_not_found")
        theWorld().violation(`${what} was refused with ${code}`);
    }
  }

  function anyBatch(): KnownBatch | null {
    return ledger.batches.size === 0 ? null : random.pick([...ledger.batches.values()]);
  }

  function anyFile(): KnownFile | null {
    return ledger.files.size === 0 ? null : random.pick([...ledger.files.values()]);
  }
}
