import { Readable } from "node:stream";

/** Room for the parts of uploads, which wait for one another where there is none. */
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
      let stopped: Error | null = null;
      let refuse = (_: Error) => {};

      function give(): void {
        if (held === 0) return;
        held -= 1;
        const [next] = waiting;
        if (next === undefined) free += 1;
        else next();
      }

      function stop(reason: Error): void {
        stopped ??= reason;
        refuse(reason);
      }

      return {
        async take() {
          if (stopped !== null) throw stopped;
          if (free > 0) {
            free -= 1;
            held += 1;
            return;
          }
          const { promise, resolve, reject } = Promise.withResolvers<void>();
          const grant = () => {
            waiting.delete(grant);
            // Here, and not where it is waited for: that may end in this very turn.
            held += 1;
            resolve();
          };
          refuse = (reason) => {
            waiting.delete(grant);
            reject(reason);
          };
          waiting.add(grant);
          await promise;
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
