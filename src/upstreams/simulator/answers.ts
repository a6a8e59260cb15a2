import { createRandom, normal, seedOf } from "./random.ts";

/** An answer that is ready to be sent. */
export interface SimulatedAnswer {
  status: number;
  body: string;
  /** For the time that a model would take to write them. */
  outputTokens: number;
  inputTokens: number;
}

export interface AnswerSettings {
  seed: number;
  /** Models that exist; null: any name does. */
  models: readonly string[] | null;
  /** Numbers in an embedding, unless the request says how many. */
  dimensions: number;
}

/** A parsed request and what identifies it. */
interface Question {
  body: Record<string, unknown>;
  /** Hexadecimal digest of the body: ids derive from it, so that the same request has the same answer. */
  digest: string;
  settings: AnswerSettings;
}

const writers: Record<string, (question: Question) => SimulatedAnswer> = {
  "/v1/chat/completions": chat,
  "/v1/completions": completion,
  "/v1/embeddings": embeddings,
  "/v1/responses": response,
  "/v1/moderations": moderation,
};

export function isSimulated(path: string): boolean {
  return Object.hasOwn(writers, path);
}

/** Answers a request to an endpoint for which `isSimulated`. The same body has the same answer. */
export function simulateAnswer(
  path: string,
  { text, digest, settings }: { text: string; digest: string; settings: AnswerSettings },
): SimulatedAnswer {
  const body = parse(text);
  if (body === null) return failure(400, { code: null, message: "The body is not a JSON object" });
  if (body.stream === true)
    return failure(400, { code: null, message: "The simulator does not stream", param: "stream" });
  const { model } = body;
  if (path !== "/v1/moderations" && typeof model !== "string") {
    return failure(400, { code: null, message: "You must provide a model parameter", param: "model" });
  }
  if (settings.models !== null && typeof model === "string" && !settings.models.includes(model)) {
    const message = `The model ${JSON.stringify(model.slice(0, 80))} does not exist`;
    return failure(404, { code: "model_not_found", message, param: "model" });
  }
  const write = writers[path];
  return write === undefined
    ? failure(404, { code: null, message: `Unknown request URL: POST ${path}` })
    : write({ body, digest, settings });
}

/** An error in the form of the OpenAI API. */
export function failure(
  status: number,
  error: { code: string | null; message: string; param?: string; type?: string },
): SimulatedAnswer {
  const { code, message, param = null, type = "invalid_request_error" } = error;
  return {
    status,
    body: JSON.stringify({ error: { message, type, param, code } }),
    inputTokens: 0,
    outputTokens: 0,
  };
}

export function modelList(models: readonly string[]): SimulatedAnswer {
  const data = models.map((id) => ({ id, object: "model", created, owned_by: "nerif" }));
  return { status: 200, body: JSON.stringify({ object: "list", data }), inputTokens: 0, outputTokens: 0 };
}

/** A fixed time, so that answers are the same on any day. */
const created = 1_767_225_600;

const words =
  `time year day way line batch model answer file house water light paper river stone garden letter voice road table
  small large quiet bright early late open warm green certain simple clear other first second last
  runs holds keeps finds gives makes sends takes turns waits writes reads grows falls moves stands
  and but or with without under over between before after`.split(/\s+/);

function chat({ body, digest, settings }: Question): SimulatedAnswer {
  const random = createRandom(seedOf(settings.seed, digest));
  const limit = body.max_completion_tokens ?? body.max_tokens;
  let outputTokens = 0;
  const choices = Array.from({ length: choiceCount(body.n) }, (_, index) => {
    const { text, tokens, reason } = write(random, limit);
    outputTokens += tokens;
    const message = `{"role":"assistant","content":"${text}","refusal":null}`;
    return `{"index":${index},"message":${message},"logprobs":null,"finish_reason":"${reason}"}`;
  });
  const inputTokens = tokensIn(body.messages);
  const head = `"id":"chatcmpl-${digest.slice(0, 24)}","object":"chat.completion","created":${created}`;
  return {
    status: 200,
    body: `{${head},"model":${JSON.stringify(body.model)},"choices":[${choices.join()}],${usage(inputTokens, outputTokens)}}`,
    inputTokens,
    outputTokens,
  };
}

function completion({ body, digest, settings }: Question): SimulatedAnswer {
  const random = createRandom(seedOf(settings.seed, digest));
  let outputTokens = 0;
  const choices = Array.from({ length: choiceCount(body.n) }, (_, index) => {
    const { text, tokens, reason } = write(random, body.max_tokens);
    outputTokens += tokens;
    return `{"text":"${text}","index":${index},"logprobs":null,"finish_reason":"${reason}"}`;
  });
  const inputTokens = tokensIn(body.prompt);
  const head = `"id":"cmpl-${digest.slice(0, 24)}","object":"text_completion","created":${created}`;
  return {
    status: 200,
    body: `{${head},"model":${JSON.stringify(body.model)},"choices":[${choices.join()}],${usage(inputTokens, outputTokens)}}`,
    inputTokens,
    outputTokens,
  };
}

function response({ body, digest, settings }: Question): SimulatedAnswer {
  const { text, tokens, reason } = write(createRandom(seedOf(settings.seed, digest)), body.max_output_tokens);
  const inputTokens = tokensIn(body.input);
  const id = digest.slice(0, 32);
  const answer = {
    id: `resp_${id}`,
    object: "response",
    created_at: created,
    status: reason === "stop" ? "completed" : "incomplete",
    error: null,
    incomplete_details: reason === "stop" ? null : { reason: "max_output_tokens" },
    model: body.model,
    output: [
      {
        id: `msg_${id}`,
        type: "message",
        status: "completed",
        role: "assistant",
        content: [{ type: "output_text", text, annotations: [] }],
      },
    ],
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + tokens,
    },
  };
  return { status: 200, body: JSON.stringify(answer), inputTokens, outputTokens: tokens };
}

function embeddings({ body, settings }: Question): SimulatedAnswer {
  const inputs = inputsOf(body.input);
  const dimensions =
    isCount(body.dimensions) && body.dimensions <= 8_192 ? body.dimensions : settings.dimensions;
  const data = inputs.map((input, index) => {
    const vector = embed(createRandom(seedOf(settings.seed, JSON.stringify(input))), dimensions);
    const shown =
      body.encoding_format === "base64"
        ? `"${Buffer.from(vector.buffer).toString("base64")}"`
        : `[${Array.from(vector, (value) => Math.round(value * 1e7) / 1e7).join()}]`;
    return `{"object":"embedding","index":${index},"embedding":${shown}}`;
  });
  const inputTokens = inputs.reduce<number>((sum, input) => sum + tokensIn(input), 0);
  const counts = `"usage":{"prompt_tokens":${inputTokens},"total_tokens":${inputTokens}}`;
  return {
    status: 200,
    body: `{"object":"list","data":[${data.join()}],"model":${JSON.stringify(body.model)},${counts}}`,
    inputTokens,
    outputTokens: 0,
  };
}

function moderation({ body, digest, settings }: Question): SimulatedAnswer {
  const results = inputsOf(body.input).map((input) => {
    const score = createRandom(seedOf(settings.seed, JSON.stringify(input)))() ** 4;
    const flagged = score > 0.5;
    return { flagged, categories: { violence: flagged }, category_scores: { violence: score } };
  });
  const model = body.model ?? "simulated-moderation";
  const answer = { id: `modr-${digest.slice(0, 24)}`, model, results };
  return { status: 200, body: JSON.stringify(answer), inputTokens: 0, outputTokens: 0 };
}

/** Some words, as many as the limit allows; one word counts as one token. */
function write(
  random: () => number,
  limit: unknown,
): { text: string; tokens: number; reason: "stop" | "length" } {
  const wanted = 8 + Math.floor(random() * 56);
  const tokens = isCount(limit) ? Math.min(limit, wanted) : wanted;
  let text = "";
  for (let i = 0; i < tokens; i++) text += (i === 0 ? "" : " ") + words[Math.floor(random() * words.length)];
  return { text, tokens, reason: tokens < wanted ? "length" : "stop" };
}

/** A vector of length 1. */
function embed(random: () => number, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  let square = 0;
  for (let i = 0; i < dimensions; i++) {
    const value = normal(random);
    vector[i] = value;
    square += value * value;
  }
  const length = Math.sqrt(square) || 1;
  return vector.map((value) => value / length);
}

/** The usual rule of thumb, four characters to a token, over all texts however deep they lie. */
function tokensIn(value: unknown): number {
  if (typeof value === "string") return Math.ceil(value.length / 4);
  if (typeof value === "number") return 1;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + tokensIn(item), 0);
}

/** One input may be a text or a list of tokens; several are a list of these. */
function inputsOf(input: unknown): unknown[] {
  return Array.isArray(input) && typeof input[0] !== "number" ? input : [input ?? ""];
}

function usage(input: number, output: number): string {
  return `"usage":{"prompt_tokens":${input},"completion_tokens":${output},"total_tokens":${input + output}}`;
}

function choiceCount(n: unknown): number {
  return isCount(n) ? Math.min(n, 128) : 1;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === "object" && body !== null && !Array.isArray(body)
      ? (body as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
