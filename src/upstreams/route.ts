import type { Upstream } from "./upstream.ts";

/** Which upstream a line goes to. */
export interface Router {
  /** All of them, in the order of the configuration. */
  readonly upstreams: readonly Upstream[];
  /** The first upstream that serves the model; null when none does. */
  pick(model: string | null): Upstream | null;
}

export function createRouter(upstreams: readonly Upstream[]): Router {
  return { upstreams, pick: (model) => upstreams.find((upstream) => upstream.serves(model)) ?? null };
}
