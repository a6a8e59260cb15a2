import { randomUUID } from "node:crypto";
import { NerifError } from "../batch/errors.ts";
import type { Upstream } from "../upstreams/upstream.ts";
import { isRecord } from "./type-name.ts";

/** How long upstreams may take to list their models, in milliseconds. */
const askMs = 5_000;

/** How long the search for this very server among its upstreams may hold up a start, in milliseconds. */
const searchMs = 2_000;

/** A model as the OpenAI API has it; what its upstream says beyond that stays. */
export interface Model {
  id: string;
  object: "model";
  /** Unix seconds; 0 where the upstream does not tell. */
  created: number;
  owned_by: string;
  [further: string]: unknown;
}

export interface ModelService {
  /**
   * The models that the upstreams list and that would be sent to them, each id once, as the upstreams describe
   * them; what clients rely on and an upstream left out is added.
   * @throws NerifError `upstream_unreachable` when no upstream answers, `upstream_not_configured`
   */
  list(): Promise<Model[]>;
  /**
   * Call it when `list` is being served: a server that were its own upstream would send each line to itself, and has to
   * answer itself that it cannot yet, as long as `isLookingForItself`. Upstreams that do not answer pass.
   * @throws NerifError `upstream_is_self`, `upstream_not_configured`
   */
  refuseSelf(): Promise<void>;
  /** True while `refuseSelf` runs and `list` answers with a sign of it alone; for good when it has found it. */
  readonly isLookingForItself: boolean;
}

/** @param options.upstreams gives the configured upstreams; called when they are first needed */
export function createModelService({ upstreams }: { upstreams: () => readonly Upstream[] }): ModelService {
  let asking: Promise<Model[]> | null = null;
  let marker: string | null = null;

  async function ask(): Promise<Model[]> {
    const answers = await askAll(upstreams(), askMs);
    const failure = answers.find((answer) => answer.status === "rejected");
    const lists = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    if (lists.length === 0 && failure !== undefined) {
      throw new NerifError("upstream_unreachable", "Cannot list the models: no upstream answered", {
        cause: failure.reason,
      });
    }
    const byId = new Map<unknown, Model>();
    for (const model of lists.flat()) if (!byId.has(model.id)) byId.set(model.id, model);
    return [...byId.values()];
  }

  return {
    get isLookingForItself() {
      return marker !== null;
    },

    async list() {
      if (marker !== null) return [{ id: marker, object: "model", created: 0, owned_by: "nerif" }];
      // One question at a time: many clients cost the upstreams no more than one, and a server that is its own
      // upstream after all waits for itself until the time is over, and does not ask itself for ever.
      asking ??= ask().finally(() => {
        asking = null;
      });
      return asking;
    },

    async refuseSelf() {
      const asked = upstreams();
      marker = `nerif-${randomUUID()}`;
      const answers = await askAll(asked, searchMs, { everyModel: true });
      const self = answers.findIndex(
        (answer) => answer.status === "fulfilled" && answer.value.some(({ id }) => id === marker),
      );
      if (self === -1) {
        marker = null;
        return;
      }
      throw new NerifError(
        "upstream_is_self",
        `Cannot use the upstream '${asked[self]?.name}': it is this very server`,
      );
    },
  };
}

function askAll(
  upstreams: readonly Upstream[],
  ms: number,
  { everyModel = false }: { everyModel?: boolean } = {},
): Promise<PromiseSettledResult<Model[]>[]> {
  const signal = AbortSignal.timeout(ms);
  return Promise.allSettled(
    upstreams.map(async (upstream) =>
      (await upstream.models(signal))
        .flatMap((model) => completed(model, upstream.name))
        .filter(({ id }) => everyModel || upstream.serves(id)),
    ),
  );
}

function completed(model: unknown, upstream: string): Model[] {
  if (!isRecord(model) || typeof model.id !== "string") return [];
  const created = Number.isSafeInteger(model.created) ? (model.created as number) : 0;
  const owned_by = typeof model.owned_by === "string" ? model.owned_by : upstream;
  return [{ ...model, id: model.id, object: "model", created, owned_by }];
}
