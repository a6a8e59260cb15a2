import { NerifError } from "../../../src/batch/errors.ts";
import type { Server } from "../program/server.ts";
import { type Life, theWorld } from "../world/world.ts";

/** The server died before it answered, or was not there: nobody knows what became of the request. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** How clients reach whatever program runs. */
export interface Connection {
  server: Server | null;
  /** Sends a request; the work runs in the name of the server's life. */
  request<T>(work: (server: Server) => Promise<T>): Promise<T>;
  /** Tells those who wait for an answer of a life that is over. */
  lost(life: Life): void;
}

export function createConnection(): Connection {
  const waiting = new Map<(reason: Error) => void, Life>();
  const connection: Connection = { server: null, request, lost };
  return connection;

  function request<T>(work: (server: Server) => Promise<T>): Promise<T> {
    const world = theWorld();
    return new Promise((resolve, reject) => {
      const { server } = connection;
      if (server === null) {
        world.later(null, 1, () => reject(new ConnectionLost("Nobody listens")));
        return;
      }
      const { life } = server;
      waiting.set(reject, life);
      world.later(life, world.random.next(), () => {
        work(server).then(
          (value) => answer(() => resolve(value)),
          (reason: unknown) => answer(() => reject(reason)),
        );
      });

      function answer(tell: () => void): void {
        if (life.dead) return;
        world.later(null, world.random.next(), () => {
          if (!waiting.delete(reject)) return;
          tell();
        });
      }
    });
  }

  function lost(life: Life): void {
    for (const [reject, of] of [...waiting]) {
      if (of !== life) continue;
      waiting.delete(reject);
      theWorld().later(null, 0, () => reject(new ConnectionLost("Cut off")));
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => theWorld().later(null, ms, resolve));
}

/** The code of a refusal; null for an answer that leaves it open what was done. */
export function refusalOf(reason: unknown): string | null {
  if (reason instanceof ConnectionLost) return null;
  if (!(reason instanceof NerifError)) throw reason;
  const open = ["storage_unavailable", "disk_full", "internal_error", "aborted"];
  return open.includes(reason.code) ? null : reason.code;
}
