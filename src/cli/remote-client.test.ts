import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createRemoteClient } from "./remote-client.ts";

const batch = "batch_6b01f2a0c7d88190a1b2c3d4e5f60718";

async function serverThat(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("a client of a server", () => {
  it.each(["sk-very\nsecret", "sk-very-secret-→"])("refuses the key %j without repeating it", async (key) => {
    vi.stubEnv("NERIF_API_KEY", key);
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    await expect(createRemoteClient("http://127.0.0.1:1")).rejects.toMatchObject({
      code: "invalid_configuration",
      message: "Cannot use NERIF_API_KEY: it holds characters that a header cannot carry",
    });
  });

  it.each(["<html>Please log in</html>", "null", "", "{}", '{"object":{}}'])(
    "says of the answer %j that no Nerif server gives it",
    async (body) => {
      const client = await createRemoteClient(await serverThat((_, response) => response.end(body)));
      await expect(client.batches.retrieve(batch)).rejects.toMatchObject({
        code: "upstream_unreachable",
        message: expect.stringMatching(
          /^Cannot use the server http.*: it answered with something that is no object of this API/,
        ),
      });
    },
  );

  it("waits for results that are followed for as long as there are none", async () => {
    const before = getGlobalDispatcher();
    // It looks about once a second.
    setGlobalDispatcher(new Agent({ bodyTimeout: 1 }));
    onTestFinished(() => setGlobalDispatcher(before));
    const client = await createRemoteClient(
      await serverThat((_, response) => {
        response.write("{}\n");
        setTimeout(() => response.end("{}\n"), 1_500);
      }),
    );
    const signal = new AbortController().signal;
    const chunks = await Array.fromAsync(client.batches.results(batch, { follow: true, signal }));
    expect(Buffer.concat(chunks).toString()).toBe("{}\n{}\n");
  });

  it("waits on when a poll meets a server that restarts, and says so once", async () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    onTestFinished(() => void said.mockRestore());
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const answers: RequestListener[] = [
      (_, response) => response.end(JSON.stringify({ object: "batch", id: batch, status: "in_progress" })),
      (request) => request.socket.destroy(),
      (_, response) => response.writeHead(502).end("<html>Bad gateway</html>"),
      (_, response) => response.writeHead(503).end(JSON.stringify({ error: { code: "shutting_down" } })),
      (_, response) => response.end(JSON.stringify({ object: "batch", id: batch, status: "completed" })),
    ];
    const client = await createRemoteClient(
      await serverThat((request, response) => answers.shift()?.(request, response)),
    );
    const done = await client.batches.wait(batch, { signal: new AbortController().signal, onProgress() {} });
    expect(done.status).toBe("completed");
    expect(said.mock.calls.map(([text]) => text)).toEqual([
      expect.stringMatching(/^Cannot reach the server http.*; asking again until it answers\n$/),
    ]);
  });

  it.each([
    [404, "batch_not_found"],
    [401, "request_forbidden"],
  ])("waits no longer when the server answers %i", async (status, code) => {
    const answers: RequestListener[] = [
      (_, response) => response.end(JSON.stringify({ object: "batch", id: batch, status: "in_progress" })),
      (_, response) => response.writeHead(status).end(JSON.stringify({ error: { code } })),
    ];
    const client = await createRemoteClient(
      await serverThat((request, response) => answers.shift()?.(request, response)),
    );
    const { signal } = new AbortController();
    await expect(client.batches.wait(batch, { signal, onProgress() {} })).rejects.toMatchObject({ code });
  });

  it("waits for no server that cannot be reached at first", async () => {
    const client = await createRemoteClient(await serverThat((request) => request.socket.destroy()));
    const { signal } = new AbortController();
    await expect(client.batches.wait(batch, { signal, onProgress() {} })).rejects.toMatchObject({
      code: "upstream_unreachable",
    });
  });

  it("says that results which break off are not all", async () => {
    const client = await createRemoteClient(
      await serverThat((_, response) => {
        response.write("{}\n", () => response.destroy());
      }),
    );
    const signal = new AbortController().signal;
    const got: string[] = [];
    const read = async () => {
      for await (const chunk of client.batches.results(batch, { follow: true, signal })) {
        got.push(Buffer.from(chunk).toString());
      }
    };
    await expect(read()).rejects.toMatchObject({
      code: "storage_unavailable",
      message: expect.stringMatching(/^Cannot read on: the server http.* broke its answer off/),
    });
    expect(got).toEqual(["{}\n"]);
  });
});
