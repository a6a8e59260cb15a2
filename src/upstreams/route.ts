import type { Upstream } from "./upstream.ts";

/** Which upstream a line goes to. */
export interface Router {
  /** All of them, in the order of the configuration. */
  readonly upstreams: readonly Upstream[];
  /** The upstreams that serve the model, in the order of the configuration: its pool. */
  pick(model: string | null): readonly Upstream[];
}

export function createRouter(upstreams: readonly Upstream[]): Router {
  return { upstreams, pick: (model) => upstreams.filter((upstream) => upstream.serves(model)) };
}
