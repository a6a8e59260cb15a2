import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A model server that keeps requests about `hold` unanswered until it is told to go on. */
export interface GatedUpstream extends AsyncDisposable {
  /** As an OpenAI client takes it. */
  url: string;
  /** Prompts in the order in which they came, one for each request. */
  prompts: string[];
  /** Resolves when so many requests wait at the gate. */
  held(count: number): Promise<void>;
  /** Answers what waits, and from now on everything at once. */
  release(): void;
  /** From now on requests about `fail` are refused with 400 when true; default true. */
  failing: boolean;
}

/** Prompts that contain `hold` wait at the gate, those that contain `fail` are refused. */
export async function startGatedUpstream(): Promise<GatedUpstream> {
  const waiting: (() => void)[] = [];
  const arrivals = new EventTarget();
  let isOpen = false;
  const prompts: string[] = [];

  const server = createServer(async (request, response) => {
    // `nerif serve` looks what is there before it begins.
    if (request.method !== "POST") return response.writeHead(404).end();
    const body = (await json(request)) as { input?: string; messages?: { content: string }[] };
    const prompt = body.input ?? body.messages?.at(-1)?.content ?? "";
    prompts.push(prompt);
    const reply = () => answer(response, prompt, upstream.failing && prompt.includes("fail"));
    if (isOpen || !prompt.includes("hold")) return reply();
    waiting.push(reply);
    arrivals.dispatchEvent(new Event("arrival"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const upstream: GatedUpstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    prompts,
    failing: true,
    async held(count) {
      while (waiting.length < count) {
        await new Promise((resolve) => arrivals.addEventListener("arrival", resolve, { once: true }));
      }
    },
    release() {
      isOpen = true;
      for (const reply of waiting.splice(0)) reply();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return upstream;
}

function answer(response: ServerResponse, prompt: string, refuse: boolean): void {
  const body = refuse
    ? { error: { message: "no such thing", type: "invalid_request_error", param: null, code: "nothing" } }
    : {
        object: "chat.completion",
        choices: [{ index: 0, message: { role: "assistant", content: `about ${prompt}` } }],
        usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
      };
  response.writeHead(refuse ? 400 : 200, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
