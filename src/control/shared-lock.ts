import type { ExecutorLock } from "./control-store.ts";

/** For a database that any number of executing processes share: all of them have it. */
export function createSharedLock(): ExecutorLock {
  return { shared: true, acquire: async () => true, holder: async () => null, release: async () => {} };
}
