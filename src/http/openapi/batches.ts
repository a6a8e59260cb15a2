import { z } from "zod";
import { type BatchError, type BatchObject, batchStatuses, type RequestCounts } from "../../batch/batch.ts";
import { endpoints, limits } from "../../batch/limits.ts";
import type { Usage } from "../../batch/usage.ts";
import { batchListParams } from "../../service/batch-list-params.ts";
import { batchParams } from "../../service/batch-params.ts";
import { resultsParams } from "../../service/results-params.ts";
import type { Operation } from "./operation.ts";
import { count, listOf, named, objectOf, unixTime } from "./schemas.ts";

const batchError = objectOf<BatchError>("BatchError", {
  code: z.string(),
  line: z.int().positive().nullable().describe("Counted from 1; null when it is about the file as a whole."),
  message: z.string(),
  param: z.string().nullable(),
});

export const requestCounts = objectOf<RequestCounts>("BatchRequestCounts", {
  total: count.describe("Lines of the input; 0 until validation has ended."),
  completed: count.describe("Lines in the output file."),
  failed: count.describe(
    "Lines that were tried and finally failed; expired and cancelled ones are in no count.",
  ),
});

const usage = objectOf<Usage>("BatchUsage", {
  input_tokens: count,
  input_tokens_details: z.object({ cached_tokens: count }),
  output_tokens: count,
  output_tokens_details: z.object({ reasoning_tokens: count }),
  total_tokens: count,
});

const { pairs, valueLength } = limits.metadata;

export const batchSchema = objectOf<BatchObject>("Batch", {
  id: z.string(),
  object: z.literal("batch"),
  endpoint: z.enum(endpoints),
  model: z.string().nullable().describe("The model of every line; null when lines name different ones."),
  errors: z.object({ object: z.literal("list"), data: z.array(batchError) }).nullable(),
  input_file_id: z.string(),
  completion_window: z.string(),
  status: z.enum(batchStatuses),
  output_file_id: z
    .string()
    .nullable()
    .describe("Null until the batch is final, and when no line succeeded."),
  error_file_id: z
    .string()
    .nullable()
    .describe("Null until the batch is final, and when every line succeeded."),
  created_at: unixTime,
  in_progress_at: unixTime.nullable(),
  expires_at: unixTime.nullable(),
  finalizing_at: unixTime.nullable(),
  completed_at: unixTime.nullable(),
  failed_at: unixTime.nullable(),
  expired_at: unixTime.nullable(),
  cancelling_at: unixTime.nullable(),
  cancelled_at: unixTime.nullable(),
  request_counts: requestCounts,
  usage: usage.nullable(),
  metadata: z.record(z.string(), z.string().max(valueLength)).meta({ maxProperties: pairs }).nullable(),
});

const batchList = listOf("BatchList", batchSchema);

/** `/v1/batches` */
export const batchOperations: readonly Operation[] = [
  {
    id: "createBatch",
    tag: "Batches",
    method: "post",
    path: "/v1/batches",
    summary: "Create a batch from an uploaded file",
    body: { schema: named("CreateBatchRequest", batchParams) },
    idempotent: true,
    answers: { 200: batchSchema },
    refusals: [400, 409, 413, 507],
  },
  {
    id: "listBatches",
    tag: "Batches",
    method: "get",
    path: "/v1/batches",
    summary: "List batches, newest first",
    query: batchListParams,
    answers: { 200: batchList },
    refusals: [400, 404],
  },
  {
    id: "retrieveBatch",
    tag: "Batches",
    method: "get",
    path: "/v1/batches/{batch_id}",
    summary: "Look at a batch",
    answers: { 200: batchSchema },
    refusals: [404],
  },
  {
    id: "cancelBatch",
    tag: "Batches",
    method: "post",
    path: "/v1/batches/{batch_id}/cancel",
    summary: "Cancel a batch; what is done is kept",
    answers: { 200: batchSchema },
    refusals: [404, 409, 507],
  },
  {
    id: "retryBatch",
    tag: "Batches",
    method: "post",
    path: "/v1/batches/{batch_id}/retry",
    summary: "Create a batch of the failed, expired and cancelled lines of a final one",
    idempotent: true,
    answers: { 200: batchSchema },
    refusals: [400, 404, 409, 507],
  },
  {
    id: "streamResults",
    tag: "Batches",
    method: "get",
    path: "/v1/batches/{batch_id}/results",
    summary: "The lines of output and error file that are durable so far",
    query: resultsParams,
    answers: { 200: { type: "application/jsonl", summary: "One JSON object for each line that is done." } },
    refusals: [400, 404],
  },
];
