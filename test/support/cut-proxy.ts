import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Passes bytes between clients and a server, and loses an answer when it is told to. */
export interface CutProxy {
  port: number;
  /**
   * Lets the next thing that matches through to the server, and cuts the connection in place of the answer to it.
   * @param before the connection is cut at once, and the server gets and does it only just before the next thing on
   *   another connection that matches this
   */
  loseAnswerTo(pattern: RegExp, before?: RegExp | null): void;
  /** How many answers were lost. */
  readonly lost: number;
  close(): Promise<void>;
}

export async function startCutProxy(target: { host: string; port: number }): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let pattern: RegExp | null = null;
  let before: RegExp | null = null;
  let late: { upstream: Socket; bytes: Buffer } | null = null;
  let lost = 0;
  const server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    let isCut = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    client.on("data", async (bytes: Buffer) => {
      const text = bytes.toString("latin1");
      if (late !== null && before?.test(text)) {
        const { upstream: first, bytes: held } = late;
        late = null;
        client.pause();
        first.write(held);
        await once(first, "data");
        first.destroy();
        client.resume();
      }
      if (pattern?.test(text)) {
        pattern = null;
        isCut = true;
        if (before !== null) {
          late = { upstream, bytes };
          lost += 1;
          client.destroy();
          return;
        }
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (!isCut) {
        client.write(bytes);
        return;
      }
      if (client.destroyed) return;
      lost += 1;
      client.destroy();
      upstream.destroy();
    });
    client.on("close", () => {
      if (late?.upstream !== upstream) upstream.destroy();
    });
    upstream.on("close", () => client.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port");
  return {
    port: address.port,
    loseAnswerTo(next, then = null) {
      pattern = next;
      before = then;
    },
    get lost() {
      return lost;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
