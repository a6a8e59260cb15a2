import { type RecordedFile, verifySources } from "../service/verify.ts";
import type { Verification } from "../service/verify-lines.ts";
import { type Client, withClient } from "./client.ts";

/**
 * Downloads the files of a batch from a server and verifies them here. Their sizes are held against its records; the
 * sums that it keeps are compared only where its data directory is.
 *
 * @throws NerifError `batch_not_final`, `batch_not_found`, `file_not_found`
 */
export async function verifyAtServer(
  id: string,
  { server, maxLineBytes }: { server: string; maxLineBytes: number },
): Promise<Verification> {
  return withClient({ server }, async (client) => {
    const batch = await client.batches.retrieve(id);
    const { input_file_id, output_file_id, error_file_id, request_counts: counts } = batch;
    return verifySources({
      batch,
      input: await fileAt(client, input_file_id),
      output: output_file_id === null ? null : await fileAt(client, output_file_id),
      errors: error_file_id === null ? null : await fileAt(client, error_file_id),
      merged: error_file_id === null && counts.completed < counts.total,
      maxLineBytes,
    });
  });
}

async function fileAt(client: Client, id: string): Promise<RecordedFile> {
  const { bytes } = await client.files.retrieve(id);
  return { expected: { bytes, sha256: null }, open: () => buffers(client.files.content(id)) };
}

async function* buffers(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
