import type { Batch } from "../../src/batch/batch.ts";
import { newBatch } from "../../src/batch/lifecycle.ts";

/** A batch that has just been created, with what the test cares about. */
export function aBatch(with_: Partial<Batch> = {}): Batch {
  const start = newBatch({
    id: "batch_6b01f2a0c7d88190a1b2c3d4e5f60718",
    project: "default",
    api_key: null,
    endpoint: "/v1/chat/completions",
    input_file_id: "file-9fQ2kZr7LmW3xTnB5vYcHd",
    completion_window: "24h",
    created_at: 1_795_300_000,
    expires_at: 1_795_386_400,
    metadata: null,
    output_expires_after: null,
  });
  return { ...start, ...with_ };
}
