import { connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Conversation {
  socket: Socket;
  /** Everything that has come, as soon as it matches. */
  until(pattern: RegExp): Promise<string>;
  /** Everything that came until the connection was closed. */
  closed: Promise<string>;
}

/** The status of each answer in what a server sent. */
export function statuses(answers: string): string[] {
  return [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status ?? "");
}

/** A connection whose answers come one after another. */
export async function talk(port: number): Promise<Conversation> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let received = "";
  const changed = new EventTarget();
  socket.setEncoding("latin1").on("data", (text) => {
    received += text;
    changed.dispatchEvent(new Event("data"));
  });
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(received)));
  return {
    socket,
    closed,
    async until(pattern) {
      while (!pattern.test(received)) {
        await new Promise((resolve) => changed.addEventListener("data", resolve, { once: true }));
      }
      return received;
    },
  };
}

/** Sends bytes as they are, and resolves with all that comes back until the server closes the connection. */
export function exchange(port: number, ...bytes: (string | Buffer)[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const received: Buffer[] = [];
  const socket = connect(port, "127.0.0.1", () => {
    for (const some of bytes) socket.write(some);
  });
  socket.on("data", (chunk) => received.push(chunk));
  // A server that refuses early may close while bytes are still on their way; what it said before that counts.
  socket.on("error", () => {});
  socket.on("close", () => resolve(Buffer.concat(received).toString("latin1")));
  return promise;
}
