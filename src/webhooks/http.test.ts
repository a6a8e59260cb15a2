import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Answer, startWebhookReceiver } from "../../test/support/webhook-receiver.ts";
import { createHttpSender } from "./http.ts";
import type { SendResult, WebhookMessage } from "./sender.ts";

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const never = new AbortController().signal;

function aMessage(url: string): WebhookMessage {
  return { url, id: "wh_1", timestamp: 1_750_287_078, body: '{"type":"batch.completed"}', secrets: [secret] };
}

function send(url: string, options: Parameters<typeof createHttpSender>[0] = {}): Promise<SendResult> {
  return createHttpSender(options).send(aMessage(url), never);
}

describe("createHttpSender()", () => {
  it("posts the body with its signature to a receiver that is admitted", async () => {
    const receiver = await startWebhookReceiver();
    const url = `${receiver.url}?token=a%20b`;
    expect(await send(url, { allow: ["127.0.0.1"] })).toEqual({ status: 204 });
    const [request] = receiver.received;
    expect(request).toMatchObject({
      method: "POST",
      path: "/hook?token=a%20b",
      body: '{"type":"batch.completed"}',
    });
    expect(request?.headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      "content-type": "application/json",
      "user-agent": expect.stringMatching(/^Nerif\/\d+\.\d+\.\d+ \(\+webhooks\)$/),
      "webhook-id": "wh_1",
      "webhook-timestamp": "1750287078",
      "webhook-signature": expect.stringMatching(/^v1,\S{44}$/),
    });
  });

  it.each([
    ["by its address", "127.0.0.1", "127.0.0.1"],
    ["by a range", "127.0.0.0/8", "127.0.0.1"],
    ["by its name", "localhost", "localhost"],
  ])("sends to a receiver that is admitted %s", async (_, allowed, host) => {
    const receiver = await startWebhookReceiver();
    expect(await send(`http://${host}:${receiver.port}/hook`, { allow: [allowed] })).toEqual({ status: 204 });
  });

  it.each<[string, Answer, SendResult]>([
    ["an error", 503, { status: 503 }],
    ["a broken connection", "reset", { status: null, failure: "the connection broke" }],
    ["nothing", "hang", { status: null, failure: "it did not answer in time" }],
  ])("tells of a receiver that answers with %s", async (_, answer, expected) => {
    const receiver = await startWebhookReceiver({ answers: [answer] });
    expect(await send(receiver.url, { allow: ["127.0.0.1"], timeoutMs: 200 })).toEqual(expected);
    expect(receiver.received).toHaveLength(1);
  });

  it("follows no redirect, not even to an admitted address", async () => {
    const target = await startWebhookReceiver();
    const receiver = await startWebhookReceiver({ answers: [{ redirect: target.url }] });
    expect(await send(receiver.url, { allow: ["127.0.0.1"] })).toEqual({ status: 307 });
    expect(target.received).toEqual([]);
  });

  it("takes the status when the answer never ends, and reads little of it", async () => {
    let written = 0;
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        const pour = () => {
          while (socket.writable && socket.write(Buffer.alloc(65_536))) written += 65_536;
        };
        socket.on("drain", pour);
        pour();
      });
    });
    const port = await listening(server);
    expect(await send(`http://127.0.0.1:${port}/`, { allow: ["127.0.0.1"] })).toEqual({ status: 200 });
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });

  it.each([
    ["speaks no HTTP", "SSH-2.0-OpenSSH_9.6\r\n", "its answer is not HTTP"],
    ["sends endless headers", `HTTP/1.1 200 OK\r\nx: ${"a".repeat(100_000)}`, "its answer is not HTTP"],
    [
      "switches protocols",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
      "the connection failed",
    ],
    ["only says that it is at it", "HTTP/1.1 102 Processing\r\n\r\n", "it did not answer in time"],
  ])("tells of a receiver that %s", async (_, answer, failure) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.write(answer));
    });
    const port = await listening(server);
    const options = { allow: ["127.0.0.1"], timeoutMs: 300 };
    expect(await send(`http://127.0.0.1:${port}/`, options)).toEqual({ status: null, failure });
  });

  it("tells of a port that nobody listens on, of a name that does not exist, and of a bad certificate", async () => {
    const receiver = await startWebhookReceiver();
    await receiver.close();
    const allow = ["127.0.0.1"];
    expect(await send(receiver.url, { allow })).toEqual({
      status: null,
      failure: "the connection was refused",
    });
    expect(await send("https://nerif.invalid/")).toEqual({
      status: null,
      failure: "its name cannot be resolved",
    });
    const plain = await startWebhookReceiver();
    const failure = "no TLS connection came about; is its certificate valid?";
    expect(await send(`https://127.0.0.1:${plain.port}/`, { allow })).toEqual({ status: null, failure });
    const unknown = createTlsServer();
    const port = await listening(unknown);
    expect(await send(`https://127.0.0.1:${port}/`, { allow })).toEqual({ status: null, failure });
  });

  it("breaks off when it is told to", async () => {
    const receiver = await startWebhookReceiver({ answers: ["hang"] });
    const stop = new AbortController();
    const sent = createHttpSender({ allow: ["127.0.0.1"] }).send(aMessage(receiver.url), stop.signal);
    await receiver.until(1);
    stop.abort();
    expect(await sent).toEqual({ status: null, failure: "this process stopped first" });
  });
});

describe("createHttpSender() with addresses that are not public", () => {
  it.each([
    ["loopback", "127.0.0.1"],
    ["another address of loopback", "127.8.9.10"],
    ["decimal", "2130706433"],
    ["hexadecimal", "0x7f000001"],
    ["octal", "0177.0.0.1"],
    ["short", "127.1"],
    ["no machine", "0.0.0.0"],
    ["zero", "0"],
    ["full-width digits", "１２７.0.0.1"],
    ["a dot at the end", "127.0.0.1."],
    ["IPv6", "[::1]"],
    ["no machine in IPv6", "[::]"],
    ["mapped", "[::ffff:127.0.0.1]"],
    ["mapped in hexadecimal", "[::ffff:7f00:1]"],
    ["compatible", "[::127.0.0.1]"],
    ["NAT64", "[64:ff9b::127.0.0.1]"],
    ["6to4", "[2002:7f00:1::]"],
    ["metadata", "169.254.169.254"],
    ["metadata in Azure", "168.63.129.16"],
    ["private", "10.0.0.1"],
  ])("refuses %s as it is written: %s", async (_, host) => {
    const seen = await loopbackListener();
    for (const scheme of ["http", "https"]) {
      const url = `${scheme}://${host}:${seen.port}/`;
      expect(await createHttpSender().refusal(url), url).toMatch(/private, local or reserved/);
      expect(await send(url), url).toMatchObject({ status: null });
    }
    expect(await seen.connections()).toBe(0);
  });

  it.each(["localhost", "LOCALHOST"])("refuses what the name %s leads to", async (host) => {
    const seen = await loopbackListener();
    const failure = "its name leads to a private, local or reserved address, to which nothing is sent";
    expect(await send(`https://${host}:${seen.port}/`)).toEqual({ status: null, failure });
    expect(await seen.connections()).toBe(0);
  });

  it("sends no byte when another range than that of the receiver is admitted", async () => {
    const seen = await loopbackListener();
    const options = { allow: ["10.0.0.0/8", "hooks.example.net"] };
    expect(await send(`https://localhost:${seen.port}/`, options)).toMatchObject({ status: null });
    expect(await send(`https://127.0.0.1:${seen.port}/`, options)).toMatchObject({ status: null });
    expect(await seen.connections()).toBe(0);
  });

  it.each([
    ["credentials", "https://user:pass@hooks.example.net/", /credentials/],
    ["a line break", "https://hooks.example.net/\r\nx: y", /white space/],
    ["no TLS", "http://hooks.example.net/", /https/],
    ["another scheme", "file:///etc/passwd", /https/],
    ["no URL", "hooks.example.net", /https/],
    ["one slash too few", "https:hooks.example.net", /https/],
    ["one slash too many", "https:///hooks.example.net", /https/],
    ["the wrong slashes", "https:\\\\hooks.example.net", /https/],
  ])("refuses a URL with %s", async (_, url, reason) => {
    expect(await createHttpSender().refusal(url)).toMatch(reason);
    expect(await send(url)).toMatchObject({ status: null, failure: expect.stringMatching(reason) });
  });

  it("refuses nothing about a public receiver", async () => {
    for (const url of [
      "https://hooks.example.net/nerif?x=1",
      "https://8.8.8.8:8443/",
      "https://[2606:4700::1]/",
    ]) {
      expect(await createHttpSender().refusal(url), url).toBeNull();
    }
  });
});

/** A server on all addresses of loopback that counts who connects. */
async function loopbackListener(): Promise<{ port: number; connections(): Promise<number> }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on("error", () => {}).destroy();
  });
  const port = await listening(server, "::");
  return {
    port,
    async connections() {
      // A connection of our own arrives after all that came before it.
      const before = connections;
      await once(connect(port, "127.0.0.1"), "close");
      expect(connections).toBe(before + 1);
      return before;
    },
  };
}

async function listening(server: ReturnType<typeof createServer>, host = "127.0.0.1"): Promise<number> {
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}
