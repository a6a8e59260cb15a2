import { Webhook } from "standardwebhooks";
import type { WebhookMessage } from "./sender.ts";

/** The headers by which a receiver knows that an event is ours, as https://www.standardwebhooks.com says. */
export function signatureHeaders({ id, timestamp, body, secrets }: WebhookMessage): Record<string, string> {
  const time = new Date(timestamp * 1_000);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, time, body)).join(" "),
  };
}
