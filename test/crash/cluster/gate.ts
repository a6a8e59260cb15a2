import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export const cuts = ["refuse", "reset", "hang"] as const;
export type Cut = (typeof cuts)[number];

/** Passes bytes between clients and a server of this machine, until it is cut. */
export interface Gate extends AsyncDisposable {
  port: number;
  /**
   * `refuse`: nobody listens any more. `reset`: every connection is reset. `hang`: connections stay and new ones come
   * about, but nothing passes.
   */
  cut(how: Cut): Promise<void>;
  /** Everything passes again. @param late what hung arrives now; else it is lost with its connection */
  restore(options: { late: boolean }): Promise<void>;
}

export async function startGate(target: number): Promise<Gate> {
  let cut: Cut | null = null;
  /** Both ends of each connection. */
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (cut === "reset") {
      client.on("error", () => {}).resetAndDestroy();
      return;
    }
    const far = connect(target, "127.0.0.1");
    join(client, far);
    join(far, client);
    if (cut === "hang") for (const socket of [client, far]) socket.pause();
  });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  async function listen(at: number): Promise<void> {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
  }

  function join(from: Socket, to: Socket): void {
    sockets.add(from);
    from.setNoDelay(true);
    from.on("data", (bytes) => to.write(bytes));
    from.on("error", () => {});
    from.on("end", () => to.end());
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  return {
    port,
    async cut(how) {
      cut = how;
      if (how === "refuse") server.close();
      for (const socket of sockets) {
        if (how === "hang") socket.pause();
        else socket.resetAndDestroy();
      }
    },
    async restore({ late }) {
      if (!late) for (const socket of sockets) socket.destroy();
      if (cut === "refuse") await listen(port);
      cut = null;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) server.close();
    },
  };
}
