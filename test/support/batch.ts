import type { Batch } from "../../src/batch/batch.ts";

/** A batch that has just been created, with what the test cares about. */
export function aBatch(with_: Partial<Batch> = {}): Batch {
  return {
    id: "batch_6b01f2a0c7d88190a1b2c3d4e5f60718",
    project: "default",
    version: 1,
    endpoint: "/v1/chat/completions",
    model: null,
    errors: null,
    input_file_id: "file-9fQ2kZr7LmW3xTnB5vYcHd",
    completion_window: "24h",
    status: "validating",
    output_file_id: null,
    error_file_id: null,
    created_at: 1_795_300_000,
    in_progress_at: null,
    expires_at: 1_795_386_400,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    usage: null,
    metadata: null,
    output_expires_after: null,
    ending: null,
    result_files: null,
    ...with_,
  };
}
