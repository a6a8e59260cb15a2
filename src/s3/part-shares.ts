import { Readable } from "node:stream";

/**
 * Room for the parts of uploads. Each has that of one part to itself, so that none stands still because sixteen others
 * are slow; for more parts at once they wait for one another.
 */
export interface PartShares {
  /** For one upload. */
  open(): PartShare;
}

export interface PartShare {
  /** Resolves when there is room for one part more; who came first is first. Rejects when it was stopped. */
  take(): Promise<void>;
  /** Gives the room of one part back, where it has any. */
  give(): void;
  /** Waits for no room any more. */
  stop(reason: Error): void;
  /** Stops, and gives all back. */
  end(): void;
}

export function createPartShares(parts: number): PartShares {
  let free = parts;
  const waiting = new Set<() => void>();

  return {
    open() {
      let held = 0;
      let holdsOwn = false;
      let stopped: Error | null = null;
      let waits: { grant: () => void; goOn: () => void; refuse: (reason: Error) => void } | null = null;

      function give(): void {
        if (held === 0) {
          holdsOwn = waits !== null;
          waits?.goOn();
          return;
        }
        held -= 1;
        const [next] = waiting;
        if (next === undefined) free += 1;
        else next();
      }

      function wait(): Promise<void> {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        function goOn(): void {
          if (waits !== null) waiting.delete(waits.grant);
          waits = null;
          resolve();
        }
        function grant(): void {
          // Here, and not where it is waited for: that may end in this very turn.
          held += 1;
          goOn();
        }
        function refuse(reason: Error): void {
          reject(reason);
          goOn();
        }
        waits = { grant, goOn, refuse };
        waiting.add(grant);
        return promise;
      }

      function stop(reason: Error): void {
        stopped ??= reason;
        waits?.refuse(reason);
      }

      return {
        async take() {
          if (stopped !== null) throw stopped;
          if (!holdsOwn) {
            holdsOwn = true;
          } else if (free > 0) {
            free -= 1;
            held += 1;
          } else {
            await wait();
          }
        },
        give,
        stop,
        end() {
          stop(new Error("The upload has ended"));
          while (held > 0) give();
        },
      };
    },
  };
}

/** The same bytes, each part of them as soon as there is room for it. */
export function withShare(
  body: Readable,
  { share, partBytes }: { share: PartShare; partBytes: number },
): Readable {
  // One that is given up waits for nothing. One that was read to its end closes too, maybe before all of it has room.
  body.once("close", () => {
    if (!body.readableEnded) share.stop(new Error("The body has ended early"));
  });
  return Readable.from(parts(), { objectMode: false });

  async function* parts(): AsyncGenerator<Buffer> {
    // The SDK sends a part when it has a byte of the next one. That byte needs no room: a part that is full would wait
    // for what only its own end gives back.
    let room = 1;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.byteLength; ) {
        if (room === 0) {
          await share.take();
          room = partBytes;
        }
        const piece = chunk.subarray(at, at + room);
        yield piece;
        at += piece.byteLength;
        room -= piece.byteLength;
      }
    }
  }
}
