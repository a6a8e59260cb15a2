import { z } from "zod";
import { type WebhookEndpointObject, type WebhookEvent, webhookEventTypes } from "../../batch/webhook.ts";
import {
  rotateParams,
  testParams,
  webhookEndpointChanges,
  webhookEndpointListParams,
  webhookEndpointParams,
} from "../../service/webhook-params.ts";
import type { WebhookEndpointWithSecret, WebhookTest } from "../../service/webhooks.ts";
import type { Operation } from "./operation.ts";
import { listOf, named, objectOf, type ShapeOf, unixTime } from "./schemas.ts";

const eventType = z.enum(webhookEventTypes);

const shape: ShapeOf<WebhookEndpointObject> = {
  id: z.string(),
  object: z.literal("webhook_endpoint"),
  created_at: unixTime,
  updated_at: unixTime,
  name: z.string(),
  url: z.string(),
  event_types: z.array(eventType),
  signing_secret_hint: z.string(),
};

const endpoint = objectOf<WebhookEndpointObject>("WebhookEndpoint", shape);

const endpointWithSecret = objectOf<WebhookEndpointWithSecret>("WebhookEndpointWithSecret", {
  ...shape,
  signing_secret: z.string().describe("Shown only at creation and rotation."),
});

const deletedEndpoint = named(
  "DeletedWebhookEndpoint",
  z.object({ id: z.string(), object: z.literal("webhook_endpoint.deleted"), deleted: z.literal(true) }),
);

const testResult = objectOf<WebhookTest>("WebhookTestResult", {
  object: z.literal("webhook_endpoint.test"),
  webhook_endpoint_id: z.string(),
  event_type: eventType,
  status_code: z.int().describe("What the receiver answered."),
  success: z.literal(true).describe("That there was an answer, whatever it is."),
});

const eventTypeList = named(
  "WebhookEventTypeList",
  z.object({ object: z.literal("list"), data: z.array(eventType) }),
);

/** What receivers get. */
export const webhookEvent = objectOf<WebhookEvent>("WebhookEvent", {
  id: z.string(),
  object: z.literal("event"),
  type: eventType,
  created_at: unixTime,
  data: z.object({ id: z.string().describe("The id of the batch.") }),
});

const createEndpoint = named("CreateWebhookEndpointRequest", webhookEndpointParams);

const updateEndpoint = named("UpdateWebhookEndpointRequest", webhookEndpointChanges);

const rotateSecret = named("RotateWebhookSecretRequest", rotateParams);

const testEndpoint = named("TestWebhookEndpointRequest", testParams);

/** `/v1/webhook_endpoints` and `/v1/webhook_event_types` */
export const webhookOperations: readonly Operation[] = [
  {
    id: "createWebhookEndpoint",
    tag: "Webhooks",
    method: "post",
    path: "/v1/webhook_endpoints",
    summary: "Name a receiver of events",
    body: { schema: createEndpoint },
    answers: { 200: endpointWithSecret },
    refusals: [400, 413, 507],
  },
  {
    id: "listWebhookEndpoints",
    tag: "Webhooks",
    method: "get",
    path: "/v1/webhook_endpoints",
    summary: "List receivers, newest first",
    query: webhookEndpointListParams,
    answers: { 200: listOf("WebhookEndpointList", endpoint) },
    refusals: [400, 404],
  },
  {
    id: "retrieveWebhookEndpoint",
    tag: "Webhooks",
    method: "get",
    path: "/v1/webhook_endpoints/{webhook_endpoint_id}",
    summary: "Look at a receiver",
    answers: { 200: endpoint },
    refusals: [404],
  },
  {
    id: "updateWebhookEndpoint",
    tag: "Webhooks",
    method: "post",
    path: "/v1/webhook_endpoints/{webhook_endpoint_id}",
    summary: "Change a receiver",
    body: { schema: updateEndpoint, required: false },
    answers: { 200: endpoint },
    refusals: [400, 404, 413, 507],
  },
  {
    id: "deleteWebhookEndpoint",
    tag: "Webhooks",
    method: "delete",
    path: "/v1/webhook_endpoints/{webhook_endpoint_id}",
    summary: "Delete a receiver",
    answers: { 200: deletedEndpoint },
    refusals: [404, 507],
  },
  {
    id: "rotateWebhookSecret",
    tag: "Webhooks",
    method: "post",
    path: "/v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret",
    summary: "Draw a new signing secret",
    body: { schema: rotateSecret, required: false },
    answers: { 200: endpointWithSecret },
    refusals: [400, 404, 413, 507],
  },
  {
    id: "testWebhookEndpoint",
    tag: "Webhooks",
    method: "post",
    path: "/v1/webhook_endpoints/{webhook_endpoint_id}/test",
    summary: "Send a receiver an example of an event",
    body: { schema: testEndpoint },
    answers: { 200: testResult },
    refusals: [400, 404, 413, 502],
  },
  {
    id: "listWebhookEventTypes",
    tag: "Webhooks",
    method: "get",
    path: "/v1/webhook_event_types",
    summary: "List the events that there are",
    answers: { 200: eventTypeList },
    refusals: [],
  },
];
