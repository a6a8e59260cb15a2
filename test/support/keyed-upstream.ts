import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** A model server that answers after a while and knows who has asked, by their keys. */
export interface KeyedUpstream extends AsyncDisposable {
  /** As an OpenAI client takes it. */
  url: string;
  /** Prompts in the order in which they came, with the key of the caller. */
  calls: { key: string; prompt: string }[];
  /** How many answers the caller with this key has got. */
  answered(key: string): number;
  /** Resolves when that caller has got so many. */
  untilAnswered(key: string, count: number): Promise<void>;
}

/** @param latencyMs time that every answer takes */
export async function startKeyedUpstream({ latencyMs }: { latencyMs: number }): Promise<KeyedUpstream> {
  const calls: KeyedUpstream["calls"] = [];
  const answers = new Map<string, number>();
  const changes = new EventTarget();
  const answered = (key: string) => answers.get(key) ?? 0;

  const server = createServer(async (request, response) => {
    if (request.method !== "POST") return response.writeHead(404).end();
    const body = (await json(request)) as { messages: { content: string }[] };
    const prompt = body.messages.at(-1)?.content ?? "";
    const key = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    calls.push({ key, prompt });
    setTimeout(() => {
      answers.set(key, answered(key) + 1);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(completion(prompt));
      changes.dispatchEvent(new Event("answer"));
    }, latencyMs);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    answered,
    async untilAnswered(key, count) {
      while (answered(key) < count) {
        await new Promise((resolve) => changes.addEventListener("answer", resolve, { once: true }));
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function completion(prompt: string): string {
  return JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content: `Re: ${prompt}` }, finish_reason: "stop" }],
    usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
  });
}
