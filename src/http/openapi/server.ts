import { z } from "zod";
import type { Readiness, WaitingRoute } from "../../service/health.ts";
import type { Operation } from "./operation.ts";
import { named, objectOf } from "./schemas.ts";

/** Whoever has no key may be told less. */
interface ReadinessObject extends Partial<Pick<Readiness, "waiting">> {
  status: "ok" | "unavailable";
  reason: Readiness["reason"] | "draining";
}

const model = named(
  "Model",
  z
    .looseObject({
      id: z.string(),
      object: z.literal("model"),
      created: z.int().describe("Unix time in seconds; 0 where the upstream does not tell."),
      owned_by: z.string(),
    })
    .describe("With whatever else its upstream says of it."),
);

const modelList = named("ModelList", z.object({ object: z.literal("list"), data: z.array(model) }));

const waitingRoute = objectOf<WaitingRoute>("WaitingRoute", {
  batch: z.string(),
  endpoint: z.string().nullable(),
  model: z.string().nullable(),
  upstream: z.string().nullable(),
  reason: z.string(),
  message: z.string(),
});

const readiness = objectOf<ReadinessObject>("Readiness", {
  status: z.enum(["ok", "unavailable"]),
  reason: z.enum(["storage_unavailable", "disk_full", "draining"]).nullable(),
  waiting: z
    .array(waitingRoute)
    .optional()
    .describe("Routes of one's own batches on which nothing new is sent, which makes nobody unready."),
});

/** What is about the server as a whole. */
export const serverOperations: readonly Operation[] = [
  {
    id: "listModels",
    tag: "Server",
    method: "get",
    path: "/v1/models",
    summary: "List the models that the upstreams list",
    answers: { 200: modelList },
    refusals: [502],
  },
  {
    id: "isAlive",
    tag: "Server",
    method: "get",
    path: "/healthz",
    summary: "Whether the process is up",
    answers: { 200: named("Health", z.object({ status: z.literal("ok") })) },
    refusals: [],
  },
  {
    id: "isReady",
    tag: "Server",
    method: "get",
    path: "/readyz",
    summary: "Whether the storage is usable and the server takes requests",
    answers: { 200: readiness, 503: readiness },
    refusals: [],
  },
  {
    id: "readMetrics",
    tag: "Server",
    method: "get",
    path: "/metrics",
    summary: "Figures of the process, its upstreams and all batches, for Prometheus",
    answers: { 200: { type: "text/plain", summary: "Prometheus' text format." } },
    refusals: [403],
  },
  {
    id: "describeApi",
    tag: "Server",
    method: "get",
    path: "/openapi.json",
    summary: "This description",
    answers: { 200: named("Description", z.looseObject({ openapi: z.string() })) },
    refusals: [],
  },
];
