import { z } from "zod";
import { batchStatuses } from "../../batch/batch.ts";
import type { BatchProgress, RouteState, WaitingReason } from "../../batch/progress.ts";
import { requestCounts } from "./batches.ts";
import type { Operation } from "./operation.ts";
import { count, objectOf } from "./schemas.ts";

const waitingReason = objectOf<WaitingReason>("WaitingReason", { code: z.string(), message: z.string() });

const routeState = objectOf<RouteState>("RouteState", {
  endpoint: z.string().nullable(),
  model: z.string().nullable(),
  upstream: z.string().nullable(),
  limit: count.describe("Calls that may be in flight at once."),
  limit_per_second: z
    .number()
    .nonnegative()
    .nullable()
    .describe("Requests per second that the model server lets through, learned from its refusals."),
  in_flight: count,
  rate: z.number().nonnegative().nullable().describe("Lines that succeed per second there, of all batches."),
  waiting: count.describe("Lines that wait for another try."),
  reason: waitingReason.nullable(),
});

const progress = objectOf<BatchProgress>("BatchProgress", {
  object: z.literal("batch.progress"),
  id: z.string(),
  state: z.enum(batchStatuses),
  waiting_reason: waitingReason.nullable(),
  rate: z.number().nonnegative().nullable().describe("Lines done per second, of late."),
  eta_seconds: z.number().nonnegative().nullable().describe("Until the last line is done if the rate stays."),
  request_counts: requestCounts,
  routes: z.array(routeState).describe("Those that have lines left."),
});

/** `/v1/batches/{batch_id}/progress` */
export const progressOperations: readonly Operation[] = [
  {
    id: "watchBatch",
    tag: "Batches",
    method: "get",
    path: "/v1/batches/{batch_id}/progress",
    summary: "How fast a batch runs, and what it waits for",
    answers: { 200: progress },
    refusals: [404],
  },
];
