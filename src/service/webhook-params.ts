import { z } from "zod";
import { limits } from "../batch/limits.ts";
import { webhookEventTypes } from "../batch/webhook.ts";
import { afterParam, limitParam } from "./list-params.ts";
import { storableText } from "./storable-text.ts";

const { nameLength, urlLength } = limits.webhookEndpoints;

const name = storableText(nameLength);
const url = storableText(urlLength);
/** A type that is named twice counts once. */
const eventTypes = z
  .array(z.enum(webhookEventTypes))
  .min(1)
  .max(100)
  .transform((types) => [...new Set(types)]);

/** What a webhook endpoint is created from. */
export const webhookEndpointParams = z.strictObject({ name, url, event_types: eventTypes });

export const webhookEndpointChanges = webhookEndpointParams.partial();

export const rotateParams = z.strictObject({
  keep_old_secret_active_for_24_hours: z
    .boolean()
    .nullish()
    .transform((keep) => keep ?? false),
});

export const testParams = z.strictObject({ event_type: z.enum(webhookEventTypes) });

export const webhookEndpointListParams = z.strictObject({
  after: afterParam,
  limit: limitParam(limits.webhookEndpointList),
});
