import type { Batch } from "../batch/batch.ts";
import type { StoredFile } from "../batch/file.ts";
import { newId } from "../batch/ids.ts";
import { advance, type BatchEvent, type BatchPatch } from "../batch/lifecycle.ts";
import { eventTypeOf, type WebhookEvent } from "../batch/webhook.ts";
import type { ControlStore } from "../control/control-store.ts";
import { type Clock, unixSeconds } from "./clock.ts";

/**
 * Applies an event to a batch, together with the files that it brings and with the news of a batch that ends, for
 * those who want to be told. Nothing happens when the event no longer applies or another writer was first: the
 * caller looks at the batch again.
 * @returns the batch as it is now, or null when nothing happened
 */
export async function transition(
  batch: Batch,
  event: BatchEvent,
  { control, clock, written = [] }: { control: ControlStore; clock: Clock; written?: StoredFile[] },
): Promise<Batch | null> {
  const now = unixSeconds(clock);
  const patch = advance(batch, event, now);
  if (patch === null) return null;
  // DURABLE: the news is in the outbox as soon as the batch has ended, so that a crash after this cannot lose it.
  return control.updateBatch(batch.id, batch.version, patch, {
    files: written,
    event: newsOf(batch.id, { patch, now }),
  });
}

function newsOf(id: string, { patch, now }: { patch: BatchPatch; now: number }): WebhookEvent | null {
  const type = eventTypeOf(patch.status);
  if (type === null) return null;
  return { id: newId("webhook_event"), object: "event", type, created_at: now, data: { id } };
}
