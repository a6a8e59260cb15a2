import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { runCli } from "../support/cli-process.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { requestLine } from "../support/http-instance.ts";
import { startServeProcess } from "../support/http-process.ts";
import { inputForm } from "../support/http-server.ts";
import { storedBytes } from "../support/stored.ts";

const upstreamKey = `sk-canary/${randomBytes(24).toString("base64")}`;

/** Each sends the key that it gets back, as far as it can. */
const echoes = ["echo_headers", "echo_headers_400", "echo_headers_401", "echo_headers_text"] as const;

it.each(echoes)(
  "a key of an upstream and one of a client come out nowhere, whatever the upstream sends back (%s)",
  async (mode) => {
    vi.stubEnv("CANARY_KEY", upstreamKey);
    onTestFinished(() => void vi.unstubAllEnvs());
    const upstream = await startFaultServer();
    const dataDir = await mkdtemp(join(tmpdir(), "nerif-canary-"));
    onTestFinished(async () => {
      await upstream.close();
      await rm(dataDir, { recursive: true, force: true });
    });
    const made = await runCli(["keys", "create", "--data-dir", dataDir], { cwd: dataDir });
    const apiKey = made.stdout.trim();
    expect(apiKey).toMatch(/^sk-nerif-[A-Za-z0-9_-]{43}$/);
    const server = await startServeProcess({
      upstream: upstream.url(mode),
      dataDir,
      args: ["--log-level", "trace", "--upstream-api-key-env", "CANARY_KEY", "--max-attempts", "1"],
    });

    const answers: string[] = [];
    async function ask(path: string, init: RequestInit = {}, key = apiKey): Promise<string> {
      const headers = { authorization: `Bearer ${key}`, ...(init.headers as object) };
      const response = await fetch(`${server.url}${path}`, { ...init, headers });
      const text = await response.text();
      answers.push(JSON.stringify(Object.fromEntries(response.headers)), text);
      return text;
    }
    const post = (path: string, body: string | FormData) => ask(path, { method: "POST", body });

    await ask("/v1/files", {}, `${apiKey}x`);
    await ask("/v1/files", {}, `x${apiKey.slice(1)}`);
    await ask(`/v1/files/${apiKey}x`, { headers: { "x-other": apiKey } }, "wrong");
    await ask("/v1/models");
    const { id: input } = JSON.parse(await post("/v1/files", inputForm(`${requestLine("a")}\n`)));
    const params = { input_file_id: input, endpoint: "/v1/embeddings", completion_window: "24h" };
    const { id } = JSON.parse(await post("/v1/batches", JSON.stringify(params)));
    for (let batch = JSON.parse(await ask(`/v1/batches/${id}`)); ; ) {
      if (batch.completed_at !== null || batch.cancelled_at !== null) break;
      // Refused because of the account, a line waits until somebody mends it.
      const waits = JSON.parse(await ask("/readyz")).waiting.length > 0;
      if (waits && batch.cancelling_at === null) await post(`/v1/batches/${id}/cancel`, "");
      await sleep(20);
      batch = JSON.parse(await ask(`/v1/batches/${id}`));
    }
    await ask(`/v1/batches/${id}/results`);
    expect(await ask("/metrics")).toContain("nerif_calls_total");
    for (const file of JSON.parse(await ask("/v1/files")).data) await ask(`/v1/files/${file.id}/content`);
    await server.stop();

    // The upstream did get it, and something of the client's key is kept.
    expect(upstream.requests.map(({ headers }) => headers.authorization)).toContain(`Bearer ${upstreamKey}`);
    const stored = await storedBytes(dataDir);
    expect(stored).toContain(createHash("sha256").update(apiKey).digest("hex"));
    for (const [place, text] of Object.entries({ answers: answers.join(), log: server.stderr(), stored })) {
      for (const secret of [upstreamKey, upstreamKey.replaceAll("/", "\\/"), apiKey]) {
        // Without its ends, which may be shown so that people know which key it was.
        expect([place, text.includes(secret.slice(10, -4))]).toEqual([place, false]);
      }
    }
    expect(answers.join()).toContain("Incorrect API key provided: sk-ne...");
  },
);
