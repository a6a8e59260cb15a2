import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createHttpSender } from "./http.ts";
import type { SendResult, WebhookMessage } from "./sender.ts";

const never = new AbortController().signal;
const refused = "its name leads to a private, local or reserved address, to which nothing is sent";

function send(url: string, options: Parameters<typeof createHttpSender>[0]): Promise<SendResult> {
  const message: WebhookMessage = { url, id: "wh_1", timestamp: 0, body: "{}", secrets: ["whsec_MDEy"] };
  return createHttpSender(options).send(message, never);
}

describe("createHttpSender() with a name server of a stranger", () => {
  it("asks it directly, so that its silence holds up no lookup of this process", async () => {
    const server = await startNameServer(() => null);
    const options = { nameServers: [server.address], timeoutMs: 500 };
    const sent = Array.from({ length: 32 }, (_, at) => send(`https://n${at}.slow.example/`, options));
    await server.asked(64);
    expect(await lookup("localhost")).toMatchObject({ address: expect.stringMatching(/^(127|::1)/) });
    for (const result of await Promise.all(sent)) {
      expect(result).toEqual({ status: null, failure: "it did not answer in time" });
    }
  });

  it("connects to none of the addresses that it changes to after they were looked at", async () => {
    const server = await startNameServer((asked) => (asked === 1 ? "203.0.113.5" : "127.0.0.1"));
    const connections: unknown[] = [];
    const inside = createServer((socket) => void connections.push(socket.destroy()));
    inside.listen(0, "127.0.0.1");
    await once(inside, "listening");
    onTestFinished(() => void inside.close());
    const { port } = inside.address() as { port: number };
    const options = { nameServers: [server.address], timeoutMs: 2_000 };
    for (let time = 0; time < 3; time += 1) {
      expect(await send(`https://rebinding.example:${port}/`, options)).toEqual({
        status: null,
        failure: refused,
      });
    }
    expect(connections).toEqual([]);
  });

  it("says that a name has no address", async () => {
    const server = await startNameServer(() => "");
    const result = await send("https://empty.example/", { nameServers: [server.address] });
    expect(result).toEqual({ status: null, failure: "its name cannot be resolved" });
  });
});

/**
 * Answers questions for IPv4 addresses, and those for others with none.
 *
 * @param answer the address, "" for none, null for silence; is told how many such questions there were
 */
async function startNameServer(answer: (asked: number) => string | null) {
  const socket = createSocket("udp4");
  const waiting: { count: number; resolve: () => void }[] = [];
  let questions = 0;
  let forIPv4 = 0;
  socket.on("message", (query, from) => {
    questions += 1;
    for (const { count, resolve } of waiting) if (questions >= count) resolve();
    const typeAt = query.indexOf(0, 12) + 1;
    const isIPv4 = query.readUInt16BE(typeAt) === 1;
    if (isIPv4) forIPv4 += 1;
    const address = answer(Math.max(1, forIPv4));
    if (address !== null) socket.send(reply(query.subarray(0, typeAt + 4), isIPv4 ? address : ""), from.port);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return {
    address: `127.0.0.1:${socket.address().port}`,
    async asked(count: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ count, resolve });
      if (questions < count) await promise;
    },
  };
}

function reply(question: Buffer, address: string): Buffer {
  const head = Buffer.from(question);
  head.writeUInt16BE(0x81_80, 2);
  head.writeUInt16BE(address === "" ? 0 : 1, 6);
  // No additional records, which the question may have had.
  head.writeUInt32BE(0, 8);
  if (address === "") return head;
  // The same name; A, IN, 0 seconds, 4 bytes.
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
  return Buffer.concat([head, record, Buffer.from(address.split(".").map(Number))]);
}
