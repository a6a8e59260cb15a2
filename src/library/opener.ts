import { NerifError } from "../batch/errors.ts";
import type { Opened } from "../compose.ts";

const openers = new WeakMap<object, () => Promise<Opened>>();

/** Notes how the data directory of an instance is opened, which is no part of what its users see. */
export function setOpener(instance: object, open: () => Promise<Opened>): void {
  openers.set(instance, open);
}

/**
 * Opens the data directory of an instance for another door of the package, which serves whoever comes.
 * @throws NerifError `invalid_usage` when `createNerif` did not make it
 */
export function openerOf(instance: object): () => Promise<Opened> {
  const open = openers.get(instance);
  if (open !== undefined) return open;
  throw new NerifError("invalid_usage", "Cannot use the instance: it must come from createNerif()");
}
