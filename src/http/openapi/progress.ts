import { z } from "zod";
import { batchStatuses } from "../../batch/batch.ts";
import type { Operation } from "./operation.ts";
import { count, named } from "./schemas.ts";

const routeProgress = z.object({
  endpoint: z.string().nullable(),
  model: z.string().nullable(),
  upstream: z.string().nullable(),
  limit: count.describe("Calls that may be in flight at once."),
  in_flight: count,
  waiting: count.describe("Lines that wait for another try."),
  reason: z.string().nullable().describe("Why nothing new is sent; null when something is."),
});

const progress = named(
  "BatchProgress",
  z.object({
    state: z.enum(batchStatuses),
    waiting_reason: z.string().nullable(),
    rate: z.number().nonnegative().nullable().describe("Lines that are done each second."),
    eta_seconds: z.number().nonnegative().nullable(),
    routes: z.array(named("RouteProgress", routeProgress)),
  }),
);

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
