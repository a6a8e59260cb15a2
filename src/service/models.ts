import { NerifError } from "../batch/errors.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { isRecord } from "./type-name.ts";

/** How long upstreams may take to list their models, in milliseconds. */
const askMs = 5_000;

export interface ModelService {
  /**
   * The models that the upstreams list and that would be sent to them, each id once, as the upstreams describe them.
   * @throws NerifError `upstream_unreachable` when no upstream answers, `upstream_not_configured`
   */
  list(): Promise<Record<string, unknown>[]>;
}

/** @param upstreams gives the configured upstreams; called at the first request */
export function createModelService({ upstreams }: { upstreams: () => readonly Upstream[] }): ModelService {
  let asking: Promise<Record<string, unknown>[]> | null = null;

  async function ask(): Promise<Record<string, unknown>[]> {
    const signal = AbortSignal.timeout(askMs);
    const answers = await Promise.allSettled(upstreams().map((upstream) => modelsOf(upstream, signal)));
    const failure = answers.find((answer) => answer.status === "rejected");
    const lists = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    if (lists.length === 0 && failure !== undefined) {
      throw new NerifError("upstream_unreachable", "Cannot list the models: no upstream answered", {
        cause: failure.reason,
      });
    }
    const byId = new Map<unknown, Record<string, unknown>>();
    for (const model of lists.flat()) if (!byId.has(model.id)) byId.set(model.id, model);
    return [...byId.values()];
  }

  return {
    list() {
      // One question at a time: many clients cost the upstreams no more than one, and an upstream that turns
      // out to be this very server waits for itself until the time is over, and does not ask itself for ever.
      asking ??= ask().finally(() => {
        asking = null;
      });
      return asking;
    },
  };
}

async function modelsOf(upstream: Upstream, signal: AbortSignal): Promise<Record<string, unknown>[]> {
  const models = await upstream.models(signal);
  return models.filter(isRecord).filter(({ id }) => typeof id === "string" && upstream.serves(id));
}
