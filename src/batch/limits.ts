/** The endpoints that a batch and its lines may name. */
export const endpoints = [
  "/v1/chat/completions",
  "/v1/embeddings",
  "/v1/completions",
  "/v1/responses",
  "/v1/moderations",
] as const;

export type Endpoint = (typeof endpoints)[number];

/**
 * The endpoint that somebody means; null for what is none. Azure's clients leave `/v1` out.
 */
export function endpointOf(value: unknown): Endpoint | null {
  return endpoints.find((endpoint) => endpoint === value || shortOf(endpoint) === value) ?? null;
}

/** `/chat/completions` for `/v1/chat/completions` */
export function shortOf(endpoint: Endpoint): string {
  return endpoint.slice("/v1".length);
}

const MiB = 1024 * 1024;

export const limits = {
  /** Largest input line in bytes, its newline not counted, unless another is set. */
  lineBytes: 10 * MiB,
  /** What may be set in place of a default: the longest line in bytes, whose positions have 32 bits, and attempts per line. */
  settings: { lineBytes: { min: 1, max: 1_024 * MiB }, attempts: { min: 1, max: 1_000 } },
  /** Longest `custom_id` in bytes of UTF-8. */
  customIdBytes: 512,
  /** Longest model name in bytes of UTF-8; a plan has room for it even if every letter is escaped. */
  modelBytes: 1_024,
  /** Deepest nesting of arrays and objects in a line; JSON of model requests stays below 30. */
  nesting: 512,
  /** Bad lines that are reported one by one; the rest are only counted. */
  reportedErrors: 1_000,
  /** Largest answer of an upstream in bytes, after decoding. */
  answerBytes: 64 * MiB,
  /** Lines in a shard, the unit that a worker leases. */
  shardLines: 512,
  /** Routes of one batch with shards of their own; the lines of further routes share theirs. */
  routes: 64,
  /** A shard is handed back, and goes on in a new segment, when its answers pass this. */
  shardAnswerBytes: 64 * MiB,
  /** Bytes of answers that may wait for the disk before nothing new is sent. */
  unflushedBytes: 16 * MiB,
  /** OpenAI's own limits; they hold with `--strict`. */
  strict: { lines: 50_000, fileBytes: 209_715_200, uploadBytes: 512 * MiB },
  /** One upload in parts: announced size, size and number of its parts, and how long it may take, in seconds. */
  upload: { bytes: 8_192 * MiB, partBytes: 64 * MiB, parts: 10_000, seconds: 3_600 },
  metadata: { pairs: 16, keyLength: 64, valueLength: 512 },
  /** `expires_after` and `output_expires_after`, in seconds. */
  expiresAfter: { min: 3_600, max: 2_592_000 },
  /** Longest `Idempotency-Key` in characters, and how long its first answer is given again, in seconds. */
  idempotencyKey: { length: 255, lifetime: 86_400 },
  batchList: { min: 0, max: 100, default: 20 },
  fileList: { min: 0, max: 10_000, default: 10_000 },
  webhookEndpointList: { min: 1, max: 100, default: 20 },
  /** How long an event is tried after it came about, in seconds. */
  webhookDelivery: { lifetime: 72 * 3_600 },
  /** Each batch that ends costs a request to every one of them. */
  webhookEndpoints: { perProject: 20, testsAtOnce: 4, nameLength: 256, urlLength: 2_048 },
} as const;
