import type { Scene } from "../run-seed.ts";

/** Whoever wants to be told of the end of a batch was told, as often as need be, under one id. */
export function checkWebhooks({ receivers, ledger, world }: Scene): void {
  for (const batch of ledger.batches.values()) {
    const type = `batch.${batch.seen?.status}`;
    const events = receivers.taken.filter(({ batchId }) => batchId === batch.id);
    const wants = receivers.endpoints.some(({ project }) => project === batch.project);
    if (wants && events.length === 0) world.violation(`nobody was told that ${batch.id} is ${type}`);
    for (const event of events) {
      if (event.type !== type) world.violation(`${batch.id} is ${type}, and somebody was told ${event.type}`);
      if (!event.url.endsWith(batch.project)) world.violation(`${batch.id} was told to a foreign project`);
    }
    if (new Set(events.map(({ id }) => id)).size > 1)
      world.violation(`${batch.id} was told under several ids`);
  }
}
