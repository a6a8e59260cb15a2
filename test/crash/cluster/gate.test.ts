import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { type Gate, startGate } from "./gate.ts";

test("gate refuses and resets connections while it is cut", async () => {
  const gate = await gateToEcho();
  await gate.cut("refuse");
  await expect(askThrough(gate)).rejects.toThrow("ECONNREFUSED");
  await gate.restore({ late: true });
  await gate.cut("reset");
  await expect(askThrough(gate)).rejects.toThrow("ECONNRESET");
  await gate.restore({ late: true });
  expect(await askThrough(gate)).toBe("echo");
});

test("gate that hung delivers late what came meanwhile, or loses it", async () => {
  const gate = await gateToEcho();
  for (const late of [true, false]) {
    await gate.cut("hang");
    const client = connect(gate.port, "127.0.0.1");
    client.write("echo");
    await once(client, "connect");
    // Two turns of the event loop later the gate has taken it as well.
    await setImmediate();
    await setImmediate();
    const answer = answerOf(client);
    await gate.restore({ late });
    expect(await answer).toBe(late ? "echo" : "");
    client.destroy();
  }
});

async function gateToEcho(): Promise<Gate> {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const gate = await startGate((server.address() as AddressInfo).port);
  onTestFinished(async () => {
    await gate[Symbol.asyncDispose]();
    server.close();
  });
  return gate;
}

async function askThrough(gate: Gate): Promise<string> {
  const client = connect(gate.port, "127.0.0.1");
  client.write("echo");
  const answer = await answerOf(client);
  client.destroy();
  return answer;
}

/** What comes first; nothing when the connection ends before. */
function answerOf(client: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    client.once("data", (bytes) => resolve(String(bytes)));
    client.once("error", reject);
    client.once("close", () => resolve(""));
  });
}
