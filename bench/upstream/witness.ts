import { listen } from "./node.ts";

/** A model server in this process that tells when calls come in. */
export interface Witness {
  /** Base URL. */
  url: string;
  /** Calls so far. */
  readonly calls: number;
  /** Resolves when so many calls more have come in, with the moment of the last of them (`performance.now()`). */
  more(calls: number): Promise<number>;
  close(): void;
}

export async function startWitness(): Promise<Witness> {
  let calls = 0;
  let awaited = Number.POSITIVE_INFINITY;
  let come: PromiseWithResolvers<number> = Promise.withResolvers();
  const { origin, close } = await listen(() => {
    calls += 1;
    if (calls === awaited) come.resolve(performance.now());
  });
  return {
    url: `${origin}/0/v1`,
    get calls() {
      return calls;
    },
    more(count) {
      awaited = calls + count;
      come = Promise.withResolvers();
      return come.promise;
    },
    close,
  };
}
