/** Things that are done one after the other, each on its own: what fails keeps nothing else from being done. */
export interface Attempts {
  /** Nothing more is begun. */
  readonly over: boolean;
  make(work: () => Promise<unknown>): Promise<void>;
  /** @throws whatever failed first */
  end(): void;
}

/** @param signal after it nothing more is begun */
export function createAttempts(signal?: AbortSignal): Attempts {
  let first: { reason: unknown } | null = null;
  return {
    get over() {
      return signal?.aborted === true;
    },
    async make(work) {
      if (signal?.aborted) return;
      try {
        await work();
      } catch (reason) {
        first ??= { reason };
      }
    },
    end() {
      if (first !== null) throw first.reason;
    },
  };
}
