import type { LaneState } from "../engine.ts";
import type { Lane } from "./lane.ts";

/** The models of one upstream that came up first: their lanes are kept for good, and have figures of their own. */
export const firstModels = 100;
/** Lanes of further models that are kept though no batch has lines for them. */
export const mostIdleLanes = 256;

/** What lanes of one endpoint had counted that are forgotten; the model is one of theirs. */
export type ForgottenLanes = Pick<LaneState, "endpoint" | "model" | "succeeded" | "failures">;

/**
 * The lanes of one upstream that no batch has lines for. They know how fast it may be asked, and after a minute without
 * calls they begin almost anew anyway: who names a million models shall not have a million lanes. What they counted
 * stays, summed up, since a counter must not fall.
 */
export interface IdleLanes {
  readonly size: number;
  readonly forgotten: readonly ForgottenLanes[];
  /** A batch is about to have lines for it. */
  used(lane: Lane): void;
  /** No batch has lines for it any more. Returns the one without use for longest if there are too many, else null. */
  left(lane: Lane): Lane | null;
}

export function createIdleLanes(): IdleLanes {
  const first = new Set<string | null>();
  const kept = new Set<Lane>();
  const others = new Set<Lane>();
  const forgotten = new Map<string, ForgottenLanes>();

  function forget({ endpoint, model, succeeded, failures }: Lane): void {
    const before = forgotten.get(endpoint);
    const sum = {
      endpoint,
      model,
      succeeded: succeeded + (before?.succeeded ?? 0),
      failures: { ...failures },
    };
    for (const reason of Object.keys(failures) as (keyof typeof failures)[]) {
      sum.failures[reason] += before?.failures[reason] ?? 0;
    }
    forgotten.set(endpoint, sum);
  }

  return {
    get size() {
      return kept.size + others.size;
    },
    get forgotten() {
      return [...forgotten.values()];
    },
    used(lane) {
      if (first.size < firstModels) first.add(lane.model);
      kept.delete(lane);
      others.delete(lane);
    },
    left(lane) {
      (first.has(lane.model) ? kept : others).add(lane);
      const [longest] = others;
      if (longest === undefined || others.size <= mostIdleLanes) return null;
      others.delete(longest);
      forget(longest);
      return longest;
    },
  };
}
